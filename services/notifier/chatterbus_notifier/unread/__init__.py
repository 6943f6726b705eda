"""What each connected user has not read: loaded from the store, moved by events, told as absolute values."""
