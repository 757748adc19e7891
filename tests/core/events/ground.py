"""An event, and subscriptions to it, as if the enabled identity had contributed them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, ClassVar
from uuid import UUID

from platform_core.contributions import Subscription
from platform_core.events import Event, Received
from platform_core.registry import contents
from platform_core.registry.contents import Entry

Run = Callable[[Received[Any]], None]


class ThingCounted(Event):
    """A thing was counted."""

    name: ClassVar[str] = "identity.thing.counted"
    aggregate: ClassVar[str] = "thing"

    thing: UUID
    number: int


class Subscribing:
    """Lets functions subscribe to ``ThingCounted`` as if identity had contributed them."""

    def __init__(self) -> None:
        """Begin with the registry as it is, and the event."""
        self._before = contents.installed()
        self._install({"events": ThingCounted})

    def __call__(self, name: str, run: Run, event: str = ThingCounted.name) -> None:
        """Subscribe ``run`` to an event."""
        self._install({"subscriptions": Subscription(name=f"identity.{name}", event=event, run=run)})  # fmt: skip

    def declare(self, event: type[Event]) -> None:
        """Let identity declare one more event."""
        self._install({"events": event})

    def forget(self) -> None:
        """Put the registry back."""
        contents.install(self._before)

    def _install(self, more: dict[str, Any]) -> None:
        now = contents.installed()
        added = {
            hook: (
                *now.entries[hook],
                Entry(owner="identity", hook=hook, item=item, place="tests/core/events/ground.py"),
            )
            for hook, item in more.items()
        }
        contents.install(replace(now, entries={**now.entries, **added}))
