"""Planted migrations, one package each."""
