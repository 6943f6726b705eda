"""Webhooks: telling a product's server what happened."""
