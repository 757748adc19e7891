"""Reads of education that others may call."""

from __future__ import annotations

from platform_education.models import Organisation, School


def has_schools() -> bool:
    """Tell whether any school or organisation was ever recorded, deleted ones included."""
    return any(model.all_objects.exists() for model in (School, Organisation))
