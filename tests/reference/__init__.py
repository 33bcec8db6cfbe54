"""Slow, obvious versions of what the lab does fast."""
