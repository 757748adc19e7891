"""Emit 20,000 events while emitters and subscribers are killed: each is applied once, in order per aggregate.

``python -m tests.drills.events``; ``--events 600`` emits fewer.
"""

from __future__ import annotations

import argparse
import logging
import os
import random
import signal
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import psycopg

from platform_core.services import EmbeddedPostgres

THINGS = 100
FEW_THINGS = 3
EMITTERS, DELIVERERS = 2, 3
PAUSE_S = 0.3
"""About so long lives whoever is killed next."""
EMITTERS_KILLED = 0.3
RAISING = 0.003
ROLLED_BACK = 0.05
PLANTED_EVENTS = 600
PLANTED_ROUNDS = 40
"""A quick machine is through its events after a handful of kills, which may all miss the moment that shows the fault."""
GIVEN_UP_AFTER_S = 900

QUICK = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
"""The server itself is not killed here, so nothing has to reach the disk."""

TABLES = """
CREATE TABLE drill_written (thing uuid NOT NULL);
CREATE TABLE drill_applied (id bigserial PRIMARY KEY, thing uuid NOT NULL, sequence bigint NOT NULL, event uuid NOT NULL);
"""
EMPTY = """
TRUNCATE drill_written, drill_applied;
DELETE FROM platform_core_eventdelivery; DELETE FROM platform_core_eventreceipt;
DELETE FROM platform_core_event; DELETE FROM platform_core_eventstream;
"""
APPLY = "INSERT INTO drill_applied (thing, sequence, event) VALUES (%s, %s, %s)"
JUDGE = {
    "{} events are lost": "SELECT count(*) FROM platform_core_event e WHERE NOT EXISTS"
    " (SELECT FROM drill_applied a WHERE a.event = e.id)",
    "{} events were applied twice": "SELECT count(*) FROM"
    " (SELECT event FROM drill_applied GROUP BY event HAVING count(*) > 1) twice",
    "{} events were applied out of order": "SELECT count(*) FROM (SELECT sequence < lag(sequence) OVER"
    " (PARTITION BY thing ORDER BY id) AS wrong FROM drill_applied) steps WHERE wrong",
    "{} things have a gap in their events": "SELECT count(*) FROM (SELECT aggregate FROM platform_core_event"
    " GROUP BY aggregate HAVING count(*) <> max(sequence)) gaps",
    "{} more or fewer things were written than told": "SELECT abs((SELECT count(*) FROM drill_written)"
    " - (SELECT count(*) FROM platform_core_event))",
    "{} events are parked": "SELECT count(*) FROM platform_core_eventdelivery WHERE parked_at IS NOT NULL",
}


@dataclass
class Outcome:
    """What a run came to."""

    events: int = 0
    kills: int = 0
    failures: int = 0
    seconds: float = 0.0
    faults: list[str] = field(default_factory=list)


def emit_events(things: int) -> None:
    """Write and tell of it in one transaction, again and again; sometimes the transaction is undone."""
    from django.db import connection, transaction

    from platform_core.events import emit
    from tests.core.events.ground import ThingCounted

    chance = random.Random()  # noqa: S311
    while True:
        thing = uuid.UUID(int=chance.randrange(things))
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("INSERT INTO drill_written (thing) VALUES (%s)", [thing])
            emit(ThingCounted(thing=thing, number=0))
            if chance.random() < ROLLED_BACK:
                transaction.set_rollback(True)


def apply(received: Any) -> None:
    """Apply an event: what is told of it in the database has to be there once; sometimes it fails."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(APPLY, [received.event.thing, received.sequence, received.id])
    if random.random() < RAISING:  # noqa: S311
        raise ValueError("the subscriber fails")


def deliver_events() -> None:
    """Deliver until killed."""
    from platform_core.events.dispatching import dispatch_until

    dispatch_until(threading.Event())


def deliver_without_inbox() -> None:
    """Deliver with the effect and the end of the delivery in two transactions: wrong, and to be found."""
    from django.db import connections

    from platform_core.events import delivering

    def apply_apart(_owned: Any, taken: Any) -> None:
        event_id, _name, _version, _payload, aggregate, sequence, *_rest = taken.row
        apart = connections["default"].copy()
        with apart.cursor() as cursor:
            cursor.execute(APPLY, [aggregate.rpartition(":")[2], sequence, event_id])
        apart.close()

    delivering.hand_over = apply_apart
    deliver_events()


def deliver_unordered() -> None:
    """Deliver whatever event is free, though an earlier one of its aggregate is being delivered: wrong, to be found."""
    from platform_core.events import delivering

    guard = delivering._NEXT[delivering._NEXT.index("AND NOT EXISTS") : delivering._NEXT.index("ORDER BY d.sequence")]  # fmt: skip
    delivering._BEGIN = delivering._BEGIN.replace(guard, "")
    deliver_events()


class Family:
    """Processes forked from this one, of which one is killed now and then and another takes its place."""

    def __init__(self, works: list[Callable[[], None]]) -> None:
        """Start one for each work."""
        self._works = works
        self._pids = [self._start(work) for work in works]

    def kill_one(self, first: int = 0) -> None:
        """Kill one by chance, of the ``first`` one on, and start its work anew."""
        index = random.randrange(first, len(self._works))  # noqa: S311
        self._end(index)
        self._pids[index] = self._start(self._works[index])

    def end(self, first: int, last: int) -> None:
        """Kill those of a range for good."""
        for index in range(first, last):
            self._end(index)

    def _end(self, index: int) -> None:
        with suppress(ProcessLookupError):
            os.kill(self._pids[index], signal.SIGKILL)
            os.waitpid(self._pids[index], 0)

    @staticmethod
    def _start(work: Callable[[], None]) -> int:
        pid = os.fork()
        if pid:
            return pid
        try:
            random.seed()
            work()
        finally:
            os._exit(1)


def run(
    url: str,
    events: int,
    deliver: Callable[[], None] = deliver_events,
    *,
    things: int = THINGS,
) -> Outcome:
    """Emit and deliver ``events`` about ``things`` under kills until nothing is on its way, and judge."""
    outcome = Outcome()
    began = time.monotonic()
    with psycopg.connect(url, autocommit=True) as judge:

        def number(query: str) -> int:
            row = judge.execute(query).fetchone()  # type: ignore[call-overload]
            assert row is not None
            return int(row[0])

        judge.execute(EMPTY)
        family = Family([partial(emit_events, things)] * EMITTERS + [deliver] * DELIVERERS)
        emitting = True
        try:
            while emitting or number("SELECT count(*) FROM platform_core_eventdelivery"):
                time.sleep(random.uniform(0, 2 * PAUSE_S))  # noqa: S311
                emitter_too = emitting and random.random() < EMITTERS_KILLED  # noqa: S311
                family.kill_one(0 if emitter_too else EMITTERS)
                outcome.kills += 1
                if emitting and number("SELECT count(*) FROM platform_core_event") >= events:
                    family.end(0, EMITTERS)
                    emitting = False
                parked = number(
                    "SELECT count(*) FROM platform_core_eventdelivery WHERE parked_at IS NOT NULL"
                )
                if parked or time.monotonic() - began > GIVEN_UP_AFTER_S:
                    outcome.faults.append(f"it does not come to an end; {parked} are parked")
                    break
        finally:
            family.end(0 if emitting else EMITTERS, EMITTERS + DELIVERERS)
        outcome.seconds = time.monotonic() - began
        outcome.events = number("SELECT count(*) FROM platform_core_event")
        outcome.faults += [
            text.format(count) for text, query in JUDGE.items() if (count := number(query))
        ]
    return outcome


@contextmanager
def booted_deployment(folder: Path, *, settings: Mapping[str, str] | None = None) -> Iterator[str]:
    """Boot a deployment on a server of its own, without any connection, and return the server's address."""
    server = EmbeddedPostgres(folder / "postgres", settings=settings)
    url = server.start().url()
    try:
        os.environ.update(
            DATABASE_URL=url,
            DJANGO_SETTINGS_MODULE="config.settings.dev",
            PLATFORM_DATA_DIR=str(folder / "data"),
            PLATFORM_PLUGINS="identity",
        )
        import django

        django.setup()
        from django.core.management import call_command

        call_command("migrate", verbosity=0)
        close_connections()
        yield url
    finally:
        server.stop(mode="immediate")


def close_connections() -> None:
    """Leave no connection to those that are forked."""
    from django.db import connections

    for connection in connections.all():
        connection.close()
        connection.close_pool()  # type: ignore[attr-defined]


@contextmanager
def ready_deployment(folder: Path, *, settings: Mapping[str, str] | None = None) -> Iterator[str]:
    """Boot a deployment with a subscriber that applies events, and return the address of its server."""
    with booted_deployment(folder, settings=settings) as url:
        from tests.core.events.ground import Subscribing

        Subscribing()("apply", apply)
        logging.getLogger("platform_core.events").disabled = True  # it says of each planned failure
        with psycopg.connect(url) as connection:
            connection.execute(TABLES)
        yield url


def main() -> int:
    """Run the drill; return 1 when a planted fault goes unseen or a real one is found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=20_000)
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="drill-", dir="/tmp") as name,
        ready_deployment(Path(name), settings=QUICK) as url,
    ):
        for title, deliver, told in (
            ("the effect is committed apart from the inbox", deliver_without_inbox, "twice"),
            ("events are delivered in any order", deliver_unordered, "out of order"),
        ):
            for _ in range(PLANTED_ROUNDS):
                found = run(url, PLANTED_EVENTS, deliver, things=FEW_THINGS)
                if seen := [fault for fault in found.faults if told in fault]:
                    break
            print(f"planted: {title}: {seen or f'NOT SEEN: {found}'}", flush=True)
            if not seen:
                return 1
        outcome = run(url, options.events)
    print(
        f"{outcome.events} events, {outcome.kills} kills of emitters and subscribers,"
        f" {outcome.events / outcome.seconds:.0f} events/s emitted and applied under kills"
    )
    for fault in outcome.faults:
        print(f"FAULT: {fault}")
    print("each applied once, in order" if not outcome.faults else "FAILED")
    return 1 if outcome.faults else 0


if __name__ == "__main__":
    sys.exit(main())
