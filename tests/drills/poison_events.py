"""Deliver an event whose subscriber kills its process each time: it is parked, and nothing else waits for it.

``python -m tests.drills.poison_events``
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import tempfile
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg

from tests.drills.events import QUICK, booted_deployment

HARMLESS = 20
ROUNDS = 15
"""More than a process may die in the delivery of one event before it is parked."""
POISON = uuid.UUID(int=13)
DUE = "UPDATE platform_core_eventdelivery SET not_before = now() WHERE parked_at IS NULL"
STATE = "SELECT lost, error_class, parked_at IS NOT NULL FROM platform_core_eventdelivery WHERE aggregate LIKE '%%' || %s"


def swallow(received: Any) -> None:
    """Die as nothing can prevent, or do no harm."""
    if received.event.thing == POISON:
        os.kill(os.getpid(), signal.SIGKILL)


def emit_all() -> None:
    """Emit the poison and events about other things."""
    from django.db import transaction

    from platform_core.events import emit
    from tests.core.events.ground import ThingCounted

    with transaction.atomic():
        for thing in (POISON, *(uuid.uuid4() for _ in range(HARMLESS))):
            emit(ThingCounted(thing=thing, number=1))


def deliver() -> None:
    """Deliver what is due."""
    from platform_core.events.delivering import dispatch_once

    dispatch_once()


def deliver_uncounted() -> None:
    """Deliver without counting the attempt before it is made: wrong, and to be found."""
    from platform_core.events import delivering
    from platform_core.models import EventDelivery

    def begin(owned: Any, aggregate: str) -> Any:
        own = EventDelivery.objects.filter(subscription=owned.name, aggregate=aggregate)
        found = own.order_by("sequence").values_list("pk", flat=True).first()
        return delivering.Outcome.NOTHING if found is None else found

    delivering.begin = begin
    deliver()


def in_a_process(work: Callable[[], None]) -> int:
    """Do it in a process of its own, forked from this one, and return how that ended."""
    pid = os.fork()
    if not pid:
        try:
            work()
        except BaseException:  # whatever it is, the child must not go on as its parent
            os._exit(1)
        os._exit(0)
    return os.waitpid(pid, 0)[1]


def run(url: str, work: Callable[[], None]) -> tuple[int, list[Any], int]:
    """Return how many processes died of the poison, what became of it, and how many other events were left over."""
    with psycopg.connect(url, autocommit=True) as judge:
        judge.execute("DELETE FROM platform_core_eventdelivery")
        assert in_a_process(emit_all) == 0
        deaths = 0
        for _ in range(ROUNDS):
            judge.execute(DUE)  # it is left alone for a moment by whoever has begun it
            deaths += in_a_process(work) == signal.SIGKILL
        count = judge.execute("SELECT count(*) FROM platform_core_eventdelivery").fetchone()
        assert count is not None
        return deaths, judge.execute(STATE, [str(POISON)]).fetchall(), int(count[0]) - 1


def main() -> int:
    """Run the drill; return 1 when the planted fault goes unseen or a real one is found."""
    with (
        tempfile.TemporaryDirectory(prefix="drill-", dir="/tmp") as name,
        booted_deployment(Path(name), settings=QUICK) as url,
    ):
        from tests.core.events.ground import Subscribing

        Subscribing()("apply", swallow)
        logging.getLogger("platform_core.events").disabled = True  # it says of what is planned
        deaths, state, _left = run(url, deliver_uncounted)
        seen = deaths == ROUNDS and state == [(0, "", False)]
        print(f"planted: attempts are not counted: {'seen' if seen else 'NOT SEEN'} {state}")
        if not seen:
            return 1
        deaths, state, left = run(url, deliver)
    print(f"{deaths} processes died, then it was {state}; {left} others wait")
    sound = state == [(10, "ProcessLost", True)] and deaths == 10 and not left
    print("parked, and nobody waits for it" if sound else "FAILED")
    return 0 if sound else 1


if __name__ == "__main__":
    sys.exit(main())
