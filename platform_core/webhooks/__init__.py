"""Webhooks after Standard Webhooks 1.0: events told to addresses elsewhere, signed, retried and never lost."""
