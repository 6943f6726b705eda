"""The frames of the WebSocket: what a client may send and what it receives (docs/protocol.md)."""
