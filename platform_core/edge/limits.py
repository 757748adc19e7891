"""How long a body may be, by its media type."""

from __future__ import annotations

from collections.abc import Mapping

ANYTHING = "*/*"


def limit_of(content_type: str, limits: Mapping[str, int]) -> int:
    """Return the bytes that a body of ``content_type`` may have: by its exact type, ``type/*``, or ``*/*``."""
    media_type = content_type.partition(";")[0].strip().lower()
    for name in (media_type, f"{media_type.partition('/')[0]}/*"):
        if name in limits:
            return limits[name]
    return limits[ANYTHING]
