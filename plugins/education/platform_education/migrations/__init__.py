"""The migrations of education."""
