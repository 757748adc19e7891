"""A worker on the database's queue: threads that run jobs, and one that gives signs of life and looks after the dead."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

import psycopg
import structlog
from django.db import DatabaseError, InterfaceError, close_old_connections, connection, transaction
from psycopg_pool import PoolTimeout

from platform_core.tasks.catalogue import all_tasks
from platform_core.tasks.engine import Claim, ClaimLost, Control, Execute
from platform_core.tasks.execution import give_back
from platform_core.tasks.outage import Outage

if TYPE_CHECKING:
    from platform_core.tasks.procrastinate_engine import ProcrastinateEngine

log = structlog.get_logger("platform_core.tasks")

CHANNEL: Final = "procrastinate_any_queue_v1"
TICK_S: Final = 1.0
BACK_OFF_S: Final = 2.0
_GONE = (DatabaseError, InterfaceError, psycopg.Error, PoolTimeout, OSError)


class Worker:
    """One registered worker. Each thread runs one job at a time on a connection of its own."""

    def __init__(
        self,
        engine: ProcrastinateEngine,
        execute: Execute,
        queues: Sequence[str],
        concurrency: int,
        stop: threading.Event,
        every_second: Callable[[Sequence[Control]], bool],
        *,
        stalled_after_s: float,
    ) -> None:
        self._engine, self._execute, self._queues = engine, execute, queues
        self._concurrency, self._stop, self._every_second = concurrency, stop, every_second
        self._stalled_after_s = stalled_after_s
        self._worker = 0
        self._may_take = True
        self._running: dict[str, Control] = {}
        self._orphans: frozenset[str] = frozenset()
        self._calls: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._next_beat = self._next_rescue = 0.0
        self._ended = threading.Event()
        self._outage = Outage(log, "worker")

    def run(self) -> None:
        """Work until asked to stop, then until the running jobs have ended."""
        threads = [
            threading.Thread(target=self._serve, name=f"jobs-{number}", daemon=True)
            for number in range(self._concurrency)
        ]
        listener = threading.Thread(target=self._listen, name="jobs-listener", daemon=True)
        while not self._stop.is_set():
            with self._surviving("join"):
                self._worker = self._engine.join()
                break
        if self._stop.is_set():
            return
        for thread in (*threads, listener):
            thread.start()
        log.info("worker started", worker=self._worker, queues=list(self._queues))
        try:
            while any(thread.is_alive() for thread in threads):
                self._look_after()
                self._call()
                self._stop.wait(TICK_S) if not self._stop.is_set() else time.sleep(TICK_S / 10)
        finally:
            self._ended.set()
            with self._surviving("leave"):
                self._engine.leave(self._worker)
        log.info("worker stopped", worker=self._worker)

    # The threads that run jobs

    def _serve(self) -> None:
        while not self._stop.is_set():
            claim: Claim | None = None
            if self._may_take:
                with self._surviving("fetch"):
                    claim = self._engine.fetch(self._worker, self._queues)
            if claim is None:
                with contextlib.suppress(queue.Empty):
                    self._calls.get(timeout=TICK_S * 2)
                continue
            self._call()
            control = Control(claim.job)
            self._running[claim.job.id] = control
            try:
                with self._surviving("run"):
                    self._execute(claim, control)
            finally:
                self._running.pop(claim.job.id, None)

    def _call(self) -> None:
        """Let one idle thread look for a job."""
        if self._calls.qsize() < self._concurrency:
            self._calls.put(None)

    def _listen(self) -> None:
        """Hear of new jobs at once; without it they are found within a second or two."""
        while not self._ended.is_set():
            with self._surviving("listen"):
                parameters = dict(connection.parameters_beside_the_pool())  # type: ignore[attr-defined]  # of our backend
                for name in ("cursor_factory", "context", "pool"):
                    parameters.pop(name, None)
                with psycopg.connect(**parameters, autocommit=True) as heard:
                    heard.execute(f"LISTEN {CHANNEL}")
                    while not self._ended.is_set():
                        for _ in heard.notifies(timeout=TICK_S, stop_after=1):
                            self._call()

    @contextlib.contextmanager
    def _surviving(self, what: str) -> Iterator[None]:
        """Go on after any failure, a moment later: with the database gone there is nothing else to do than to wait."""
        try:
            yield
            self._outage.is_over()
        except _GONE as error:
            self._outage.goes_on(what, error)
            self._rest()
        except Exception:  # the thread must not end while the worker runs
            log.exception("worker goes on after an error of its own", during=what)
            self._rest()
        finally:
            with contextlib.suppress(*_GONE):
                close_old_connections()

    def _rest(self) -> None:
        """Wait a moment before the next attempt; not any more when this worker is to end."""
        if not self._ended.is_set():
            self._stop.wait(BACK_OFF_S)

    # The thread that looks after them

    def _look_after(self) -> None:
        now = time.monotonic()
        with self._surviving("look after"):
            if now >= self._next_beat:
                self._beat()
                self._next_beat = now + self._stalled_after_s / 6
            controls = list(self._running.values())
            if controls:
                for job_id in self._engine.to_stop([one.job_id for one in controls]):
                    if job_id in self._running:
                        self._running[job_id].cancel()
            self._may_take = self._every_second(controls)
            if now >= self._next_rescue:
                self._rescue()
                self._next_rescue = now + self._stalled_after_s / 6

    def _beat(self) -> None:
        if not self._engine.beat(self._worker):
            lost, self._worker = self._worker, self._engine.join()
            log.warning("worker was taken for dead and joins anew", worker=self._worker, lost=lost)

    def _rescue(self) -> None:
        """Give back the jobs of dead workers, and those that this one holds without running them.

        The latter come from a connection that broke after a job was claimed, or before its end was noted; they have to
        be seen twice, for a job that is just being claimed is not run yet.
        """
        held = {one.job.id: one for one in self._engine.held(self._worker)}
        orphans = frozenset(held) - frozenset(self._running)
        for job_id in orphans & self._orphans:
            self._give_back(held[job_id])
        self._orphans = orphans
        for claim in self._engine.stalled(self._stalled_after_s):
            self._give_back(claim)
        self._engine.forget_dead(self._stalled_after_s * 10)

    def _give_back(self, claim: Claim) -> None:
        with contextlib.suppress(ClaimLost), transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SET LOCAL lock_timeout = '2s'")  # whoever holds it is ending it
            give_back(claim, all_tasks().get(claim.job.task))
            log.warning("stalled job queued again", plugin=claim.job.queue, job_id=claim.job.id)
            self._call()
