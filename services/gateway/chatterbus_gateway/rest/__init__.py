"""REST: the same tokens, checks and codes as the WebSocket, one file per resource."""
