"""Alembic migrations of the ledger's schema. They go forward only."""
