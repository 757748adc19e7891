"""What every worker process does, whatever the engine: run jobs, deliver events, send webhooks, look at the clock."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Final

import structlog
from django.db import OperationalError, connection, connections, transaction
from django.utils import timezone

from platform_core.events.dispatching import dispatch_until
from platform_core.registry.ledger import database_problems
from platform_core.tasks.backend import engine
from platform_core.tasks.catalogue import CORE
from platform_core.tasks.catalogue import queues as own_queues
from platform_core.tasks.engine import Control
from platform_core.tasks.execution import execute
from platform_core.tasks.scheduling import Clock
from platform_core.webhooks.senders import Senders, senders_for

log = structlog.get_logger("platform_core.tasks")

READINESS_EVERY_S: Final = 10.0
_SPARE_CONNECTIONS = 4
"""One to look after jobs, one to listen, one to deliver events, one to look for webhooks."""


def work(stop: threading.Event, *, concurrency: int, queues: Sequence[str] | None = None) -> None:
    """Run jobs until ``stop`` is set and the running ones have ended; events, schedules and webhooks are looked after too.

    ``queues`` narrows down what this process may work on: the core's queue and those of enabled plugins.
    """
    senders = senders_for(concurrency)
    _make_room(concurrency + senders)
    clock, readiness = Clock(), Readiness()
    owners = list(own_queues() if queues is None else queues)
    events = threading.Thread(
        target=dispatch_until,
        args=(stop, owners),
        kwargs={"is_ready": Readiness().ask},
        name="events",
        daemon=True,
    )
    webhooks = threading.Thread(
        target=Senders(senders, stop, Readiness().ask).run, name="webhooks", daemon=True
    )
    started = [events, *([webhooks] if CORE in owners else ())]
    for thread in started:
        thread.start()

    def every_second(running: Sequence[Control]) -> bool:
        write_progress(running)
        ready = readiness.ask()
        if ready and not stop.is_set():
            clock.look()
        return ready

    engine().work(
        execute,
        queues=owners,
        concurrency=concurrency,
        stop=stop,
        every_second=every_second,
    )
    for thread in started:
        thread.join()


class Readiness:
    """Whether this process has loaded what the database was synchronised with; asked anew every few seconds."""

    def __init__(self) -> None:
        self._ready, self._ask_at = True, 0.0

    def ask(self) -> bool:
        """Tell whether jobs may be taken; why they may not is logged once."""
        if time.monotonic() >= self._ask_at:
            self._ask_at = time.monotonic() + READINESS_EVERY_S
            problems = database_problems()
            if problems and self._ready:
                log.error("worker takes no jobs", problems=[str(one) for one in problems])
            elif self._ready is False and not problems:
                log.info("worker takes jobs again")
            self._ready = not problems
        return self._ready


def _make_room(threads: int) -> None:
    """Let the pool, where there is one, have a connection for each thread; it is made when first used."""
    pool = connections.settings["default"].get("OPTIONS", {}).get("pool")
    if isinstance(pool, dict):
        pool["max_size"] = max(pool.get("max_size") or 0, threads + _SPARE_CONNECTIONS)


def write_progress(running: Sequence[Control]) -> None:
    """Let others see which jobs run and how far they are; what has not changed is not written again."""
    from platform_core.models import Operation, TaskRecord

    changed = [one for one in running if one.written != (one.progress,)]
    if not changed:
        return
    records = [
        TaskRecord(
            job_id=one.job_id,
            plugin=one.plugin,
            task=one.task,
            running=True,
            progress_done=done,
            progress_total=total,
            progress_note=note,
            updated_at=timezone.now(),
        )
        for one in changed
        for done, total, note in [one.progress or (0, 0, "")]
    ]
    written = [(one, (one.progress,)) for one in changed]
    try:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SET LOCAL lock_timeout = '1s'")  # a job that is just ending
            TaskRecord.objects.bulk_create(
                records,
                update_conflicts=True,
                unique_fields=["job_id"],
                update_fields=[
                    "running",
                    "progress_done",
                    "progress_total",
                    "progress_note",
                    "updated_at",
                ],
            )
            Operation.objects.filter(
                job_id__in=[one.job_id for one in changed if not one.written],
                state=Operation.State.QUEUED,
            ).update(state=Operation.State.RUNNING)
    except OperationalError:
        return  # the next second is soon
    for one, what in written:
        one.written = what
