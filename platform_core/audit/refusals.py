"""Refused and failed attempts: recorded after the rollback, and so that nobody can fill the disk with them."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import replace

from django.db import DatabaseError, transaction

from platform_core.access.actors import current_actor
from platform_core.audit.recording import AuditUnavailable, Event, Outcome, write_events

logger = logging.getLogger("platform_core.audit")

WINDOW_S = 3600
ONE_BY_ONE = 20
"""So many attempts alike are recorded one by one; of more each doubling is, with how many there were."""
ONE_BY_ONE_IN_ALL = 2000
"""The same for all attempts of a process together, against somebody with many names."""
MOST_KINDS = 10_000
"""So many kinds of attempts are told apart; of all others together each doubling is recorded."""


class Recurrence:
    """Counts attempts in windows of an hour and says which of them are recorded: their number grows as a logarithm."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[object, int] = {}
        self._total = 0
        self._window = -1

    def forget(self) -> None:
        """Begin a new window."""
        with self._lock:
            self._window = -1

    def times(self, key: object) -> int:
        """Return how often ``key`` has come in this window when that is to be recorded, else 0.

        The first of each kind is, then one by one while there are few in all, then each doubling.
        """
        window = int(time.monotonic()) // WINDOW_S
        with self._lock:
            if window != self._window:
                self._window, self._total = window, 0
                self._counts.clear()
            self._total = total = self._total + 1
            if key not in self._counts and len(self._counts) >= MOST_KINDS:
                return total if _is_doubling(total, MOST_KINDS) else 0
            count = self._counts[key] = self._counts.get(key, 0) + 1
        few = count <= ONE_BY_ONE and total <= ONE_BY_ONE_IN_ALL
        return count if count == 1 or few or _is_doubling(count, ONE_BY_ONE) else 0


def _is_doubling(count: int, unit: int) -> bool:
    doublings, rest = divmod(count, unit)
    return rest == 0 and doublings > 1 and doublings & (doublings - 1) == 0


attempts = Recurrence()


def write_refusal(event: Event, *, outcome: Outcome, code: str) -> None:
    """Record an attempt that changed nothing, in a transaction of its own.

    Attempts alike (of one caller, on one kind of target, with one answer) are recorded one by one up to a number,
    then at each doubling, with ``times`` in the details. Never raises: the attempt is over, and its answer stands.
    """
    actor = current_actor()
    key = (actor.kind, actor.id, event.plugin, event.action, event.target_type, code)
    times = attempts.times(key)
    if not times:
        return
    details = event.details if times <= ONE_BY_ONE else {**event.details, "times": times}
    told = replace(event, outcome=outcome, code=code, details=details)
    try:
        with transaction.atomic():
            write_events([told])
    except (AuditUnavailable, DatabaseError) as error:
        logger.error("an attempt could not be recorded: %s", type(error).__name__)
