"""Migrations of a planted app."""
