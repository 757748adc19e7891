"""Kill workers while they deliver webhooks: each message arrives, under its id, and what is noted is true. One more endpoint
takes every request and never answers; it holds up none of the others.

``python -m tests.drills.webhook_kills``; ``--events 60 --kills 4`` is a short one. The receiver is a process that writes down each id
before it answers. First, workers that note a delivery before they make it have to be found out.
"""

from __future__ import annotations

import argparse
import logging
import os
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg

from tests.drills.events import QUICK, Family, booted_deployment, close_connections

ENDPOINTS = 4
WORKERS, THREADS = 2, 3
PAUSES_S = (0.4, 1.6)
"""So long it is between two kills: whoever is left has to notice that the other is gone."""
ANSWER_S = 0.05
SILENT, NEVER_S = "silent", 3600.0
STALLED_S = 1
PLANTED_EVENTS, PLANTED_KILLS, PLANTED_ROUNDS = 40, 4, 20
GIVEN_UP_AFTER_S = 600
EMPTY = """
DELETE FROM platform_core_webhookdelivery; DELETE FROM platform_core_webhookmessage;
DELETE FROM platform_core_webhookendpoint; DELETE FROM platform_core_webhookturn; DELETE FROM platform_core_webhookattempt;
DELETE FROM procrastinate_jobs;
"""
OF_QUICK = """
SELECT count(*) FROM platform_core_webhookdelivery AS d JOIN platform_core_webhookendpoint AS e ON e.id = d.endpoint_id
WHERE e.description <> 'silent' AND d.state
"""
OPEN, OTHERS = f"{OF_QUICK} = 'pending'", f"{OF_QUICK} <> 'delivered'"


@dataclass
class Outcome:
    """What a run came to."""

    deliveries: int = 0
    arrivals: int = 0
    kills: int = 0
    seconds: float = 0.0
    faults: list[str] = field(default_factory=list)


@contextmanager
def receiving(folder: Path) -> Iterator[tuple[str, Path]]:
    """Run a receiver in a process of its own; yield its address and the file of what arrived where."""
    arrived = folder / "arrived.txt"
    arrived.touch()
    reader, writer = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            _receive(arrived, writer)
        finally:
            os._exit(1)
    os.close(writer)
    with os.fdopen(reader) as told:
        address = told.readline().strip()
    try:
        yield address, arrived
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0)


def _receive(arrived: Path, writer: int) -> None:
    from tests.core.webhooks.receivers import Arrived, Receiver, Reply

    file = os.open(arrived, os.O_WRONLY | os.O_APPEND)

    def reply(one: Arrived) -> Reply:
        os.write(file, f"{one.path} {one.headers['webhook-id']}\n".encode())
        return Reply(pause_s=NEVER_S if one.path.endswith(SILENT) else ANSWER_S)

    receiver = Receiver(reply)
    os.write(writer, f"{receiver.url}\n".encode())
    threading.Event().wait()


def work_on() -> None:
    """Work as ``platformctl worker`` does, until killed."""
    from platform_core.tasks.working import work

    logging.disable(logging.CRITICAL)
    work(threading.Event(), concurrency=THREADS)


def note_first() -> None:
    """Work so that a delivery is noted before it is made: wrong, and to be found."""
    from platform_core.webhooks import delivering, senders

    def send_due(endpoint_id: UUID, sender: UUID, **_: object) -> int:
        while due := delivering.next_due(endpoint_id, sender):
            delivering.keep(due, delivering.Attempt(status=200, duration_ms=0))
            time.sleep(ANSWER_S)  # as if the connection took its time
            delivering.attempt(due.endpoint, due.message)
        delivering.end_turn(endpoint_id, sender, is_slow=False)
        return 0

    senders.send_due = send_due
    work_on()


def tell(url: str, events: int) -> None:
    """Add endpoints, and emit events that all of them want."""
    from django.db import transaction

    from platform_core.events import emit
    from platform_core.models import WebhookEndpoint, uuid7
    from platform_core.webhooks.signing import new_secret
    from platform_identity.events import UserCreated

    for name in (*map(str, range(ENDPOINTS)), SILENT):
        WebhookEndpoint.objects.create(
            url=f"{url}/{name}",
            description=name,
            event_types=["identity.*"],
            secret=new_secret(),
        )
    for _ in range(events):
        with transaction.atomic():
            emit(UserCreated(user=uuid7()))
    close_connections()


def run(
    database: str, folder: Path, events: int, kills: int, work: Callable[[], None] = work_on
) -> Outcome:
    """Tell ``events``, deliver them under so many ``kills``, go on until nothing is on its way, and judge."""
    outcome = Outcome()
    with psycopg.connect(database, autocommit=True) as judge, receiving(folder) as (url, file):

        def number(query: Any) -> int:
            row = judge.execute(query).fetchone()
            assert row is not None
            return int(row[0])

        judge.execute(EMPTY)
        tell(url, events)
        began = time.monotonic()
        family = Family([work] * WORKERS)
        try:
            while number(OPEN) and time.monotonic() - began < GIVEN_UP_AFTER_S:
                time.sleep(random.uniform(*PAUSES_S))  # noqa: S311
                if outcome.kills < kills:
                    family.kill_one()
                    outcome.kills += 1
        finally:
            family.end(0, WORKERS)
        outcome.seconds = time.monotonic() - began
        quick = [line for line in file.read_text().splitlines() if f"/{SILENT} " not in line]
        _judge(outcome, Counter(quick), events, number(OTHERS))
        file.write_text("")
    return outcome


def _judge(outcome: Outcome, arrived: Counter[str], events: int, others: int) -> None:
    outcome.deliveries, outcome.arrivals = events * ENDPOINTS, arrived.total()
    lost = outcome.deliveries - len(arrived)
    if lost:
        outcome.faults.append(f"{lost} deliveries are noted and never arrived")
    if others:
        outcome.faults.append(f"{others} deliveries are not noted as made")


def main() -> int:
    """Run the drill; return 1 when the planted fault goes unseen or a real one is found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=2000)
    parser.add_argument("--kills", type=int, default=60)
    options = parser.parse_args()
    os.environ["PLATFORM_OUTBOUND_ALLOW"] = "127.0.0.0/8"
    os.environ["PLATFORM_TASK_STALLED_AFTER"] = str(STALLED_S)
    with tempfile.TemporaryDirectory(prefix="drill-", dir="/tmp") as name:
        folder = Path(name)
        with booted_deployment(folder, settings=QUICK) as database:
            for _ in range(PLANTED_ROUNDS):
                found = run(database, folder, PLANTED_EVENTS, PLANTED_KILLS, note_first)
                if seen := [fault for fault in found.faults if "never arrived" in fault]:
                    break
            print(f"planted: noted before it is made: {seen or 'NOT SEEN'}", flush=True)
            if not seen:
                return 1
            outcome = run(database, folder, options.events, options.kills)
    print(
        f"{outcome.deliveries} deliveries, {outcome.kills} kills of workers, {outcome.arrivals} arrivals,"
        f" {outcome.deliveries / outcome.seconds:.0f} deliveries/s under kills"
    )
    for fault in outcome.faults:
        print(f"FAULT: {fault}")
    print("each arrived, none is lost" if not outcome.faults else "FAILED")
    return 1 if outcome.faults else 0


if __name__ == "__main__":
    sys.exit(main())
