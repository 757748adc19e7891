"""The migrations that the loaded code has, read once: they do not change while it runs."""

from __future__ import annotations

from functools import cache

from django.db.migrations.loader import MigrationLoader


@cache
def code_migrations() -> MigrationLoader:
    """Return a loader of the migrations of the code alone, without a database."""
    return MigrationLoader(None)
