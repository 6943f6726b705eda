"""Chatterbus gateway: WebSocket and REST at the edge; no database."""
