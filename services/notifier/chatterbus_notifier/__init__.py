"""Chatterbus notifier: presence, unread counts and missed-message events."""
