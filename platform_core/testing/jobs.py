"""Run background jobs and deliver events in a test, without a worker."""

from __future__ import annotations

from collections.abc import Sequence

from platform_core.events.delivering import dispatch_once
from platform_core.tasks.catalogue import queues as all_queues
from platform_core.tasks.engine import Control
from platform_core.tasks.execution import execute
from platform_core.tasks.procrastinate_engine import ProcrastinateEngine


def run_waiting_jobs(queues: Sequence[str] | None = None, *, most: int = 100) -> int:
    """Run the jobs that are due now, and those that they enqueue, in this thread; return how many ran.

    It works inside the transaction of a test: what is done after a commit is not seen.
    """
    engine = ProcrastinateEngine()
    worker = engine.join()
    try:
        for count in range(most):
            claim = engine.fetch(worker, queues or all_queues())
            if claim is None:
                return count
            execute(claim, Control(claim.job))
    finally:
        engine.leave(worker)
    raise AssertionError(f"There were more than {most} jobs.")


def deliver_events(plugins: Sequence[str] | None = None, *, most: int = 100) -> int:
    """Deliver the events that wait to the subscribers of ``plugins``, or of all, in this thread; return how many arrived.

    Those that subscribers emit are delivered too; the jobs that they enqueue, mails among them, are run by
    ``run_waiting_jobs``. An event whose subscriber raises does not arrive, and the log says why.
    """
    arrived = 0
    while delivered := dispatch_once(plugins):
        arrived += delivered
        if arrived > most:
            raise AssertionError(f"There were more than {most} events.")
    return arrived
