"""Field names and filters that the resources of education share."""

from __future__ import annotations

STAMPS = ("created_at", "updated_at", "version")
"""What the core keeps about every row; read-only."""

SOURCED = ("exact", "in")
"""Lookups on ``sourced_id``."""

DAYS = ("exact", "gte", "lte", "isnull")
"""Lookups on a date that may be open."""

MOMENTS = ("gte", "lt")
"""Lookups on ``updated_at``: what changed since."""


def exchanged(model: str) -> dict[str, str]:
    """Return the actions of a policy that lets rows be taken out as a file and brought in by one."""
    return {verb: f"education.{verb}_{model}" for verb in ("export", "import")}
