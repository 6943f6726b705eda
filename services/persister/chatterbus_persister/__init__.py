"""Chatterbus persister: the ledger. The only process with the database's credentials."""
