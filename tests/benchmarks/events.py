"""How many events are emitted, and delivered to one subscriber, in a second by one process."""

from __future__ import annotations

import logging
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path

EVENTS = 3_000
THINGS = 100


def run(rounds: int) -> int:
    """Print events a second, each in a transaction of its own that is written to disk; return 0."""
    from tests.drills.events import EMPTY, ready_deployment

    with (
        tempfile.TemporaryDirectory(prefix="platform-bench-") as name,
        ready_deployment(Path(name)) as _url,
    ):
        from django.db import connection, transaction

        from platform_core.events import emit
        from platform_core.events.delivering import dispatch_once
        from platform_core.models import EventDelivery
        from tests.core.events.ground import ThingCounted

        logging.disable(logging.ERROR)
        things = [uuid.UUID(int=number) for number in range(THINGS)]

        def write(*, tells: bool) -> None:
            for number in range(EVENTS):
                thing = things[number % THINGS]
                with transaction.atomic():
                    with connection.cursor() as cursor:
                        cursor.execute("INSERT INTO drill_written (thing) VALUES (%s)", [thing])
                    if tells:
                        emit(ThingCounted(thing=thing, number=number))

        def deliver() -> None:
            while dispatch_once():
                pass

        best = dict.fromkeys(("written without", "written with an event", "delivered"), 0.0)
        for _round in range(rounds):
            with connection.cursor() as cursor:
                cursor.execute(EMPTY)
            found = {
                "written without": _rate(lambda: write(tells=False)),
                "written with an event": _rate(lambda: write(tells=True)),
                "delivered": _rate(deliver),
            }
            best = {what: max(best[what], rate) for what, rate in found.items()}
            EventDelivery.objects.all().delete()
        connection.close()
        connection.close_pool()  # type: ignore[attr-defined]
    for what, rate in best.items():
        print(f"{what:24} {rate:8.0f} a second")
    return 0


def _rate(work: Callable[[], None]) -> float:
    began = time.perf_counter()
    work()
    return EVENTS / (time.perf_counter() - began)
