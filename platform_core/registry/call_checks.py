"""Functions that the core calls by itself, later: found at the start when they do not take what they will be given."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

CALLED_WITH = {
    "subscriptions": ("run", "the event that was received"),
    "health_probes": ("check", ""),
    "first_run": ("run", "a FirstRunContext"),
}
"""The field of what a hook returns that is called, and what it is given; nothing if empty."""


def call_faults(hook: str, item: Any) -> Iterator[tuple[str, str]]:
    """Yield the message and the way out for a function of ``item`` that cannot be called as the core will."""
    name, given = CALLED_WITH[hook]
    try:
        inspect.signature(getattr(item, name)).bind(*([given] if given else []))
    except (TypeError, ValueError) as error:
        takes = given or "no argument"
        yield (
            f'{name} of "{item.name}" cannot be called with {takes}: {error}.',
            f"Give it a function that takes {takes}.",
        )
