"""Chatterbus runtime: the process shell around a service (settings, logging, NATS, lifecycle, health, metrics)."""
