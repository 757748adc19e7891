"""``Received``: an event as a subscriber gets it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Generic, TypeVar
from uuid import UUID

from platform_core.events.declaring import Event

E = TypeVar("E", bound=Event, covariant=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Received(Generic[E]):
    """An event, with when and by whom it was caused; ``sequence`` counts the events of its aggregate from 1."""

    event: E
    id: UUID
    aggregate: str
    sequence: int
    occurred_at: dt.datetime
    actor_kind: str
    actor_id: UUID | None
    request_id: str
    attempt: int
    """1 at first; each attempt before it was undone."""
