"""What webhooks tell: messages that somebody misses, and messages that were stored."""
