"""Functions that the core calls by itself, later: found at the start when they do not take what they will be given."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

from platform_core.registry.contents import Registry
from platform_core.registry.event_checks import Fault

CALLED_WITH = {
    "subscriptions": ("run", "the event that was received"),
    "health_probes": ("check", ""),
    "first_run": ("run", "a FirstRunContext"),
}
"""The field of what a hook returns that is called, and what it is given; nothing if empty."""


def calls(registry: Registry) -> Iterator[Fault]:
    """Yield the contributions whose function cannot be called as the core will."""
    for hook, (name, given) in CALLED_WITH.items():
        for entry in registry.entries[hook]:
            try:
                inspect.signature(getattr(entry.item, name)).bind(*([given] if given else []))
            except (TypeError, ValueError) as error:
                takes = given or "no argument"
                yield (
                    entry,
                    "not_callable",
                    f'{name} of "{entry.item.name}" cannot be called with {takes}: {error}.',
                    f"Give it a function that takes {takes}.",
                )
