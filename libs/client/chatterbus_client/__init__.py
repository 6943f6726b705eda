"""Chatterbus Python client: asyncio SDK with outbox, reconnect and resume."""
