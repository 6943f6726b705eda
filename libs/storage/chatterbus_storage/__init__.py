"""Objects of bytes under a key: `object_storage` says what a storage promises; NATS and S3 are two that keep it."""
