"""The default engine: jobs are rows of procrastinate in the deployment's own PostgreSQL."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone
from procrastinate import exceptions
from procrastinate.jobs import Job as Row
from procrastinate.jobs import Status
from procrastinate.manager import JobManager

from platform_core.tasks.engine import (
    Control,
    Execute,
    Job,
    JobStatus,
    Submission,
)
from platform_core.tasks.procrastinate_claim import RowClaim, claim_of
from platform_core.tasks.procrastinate_connector import RowConnector, now

_STATUS: Mapping[str, JobStatus] = {
    "todo": "waiting",
    "doing": "running",
    "succeeded": "succeeded",
    "failed": "failed",
    "cancelled": "cancelled",
    "aborted": "cancelled",
    "aborting": "running",
}
_SELECT = """
SELECT j.id, j.task_name, j.queue_name, j.args::text, j.status::text, j.attempts, j.priority, j.scheduled_at,
    j.abort_requested,
    (SELECT min(at) FROM procrastinate_events WHERE job_id = j.id AND type = 'deferred'),
    (SELECT max(at) FROM procrastinate_events WHERE job_id = j.id AND type = 'started'),
    CASE WHEN j.status NOT IN ('todo', 'doing') THEN
        (SELECT max(at) FROM procrastinate_events WHERE job_id = j.id AND type <> 'scheduled') END
FROM procrastinate_jobs AS j
"""


class ProcrastinateEngine:
    """Keeps jobs in procrastinate's tables and runs them in threads; see ``Engine``."""

    def __init__(self) -> None:
        self.jobs = JobManager(RowConnector())
        self.stalled_after_s = float(settings.PLATFORM.deployment.core.task_stalled_after)

    def enqueue(self, submission: Submission) -> Job:
        """Add a job, or return the one that waits under the same key."""
        row = Row(
            queue=submission.queue,
            task_name=submission.task,
            task_kwargs=dict(submission.payload),
            priority=submission.priority,
            lock=submission.key,
            queueing_lock=submission.key,
            scheduled_at=submission.not_before,
        )
        if submission.key is None:
            return _handed_in(self.jobs.defer_job(row), submission)
        while True:
            try:
                with transaction.atomic():
                    return _handed_in(self.jobs.defer_job(row), submission)
            except exceptions.AlreadyEnqueued:
                found = self._select("WHERE queueing_lock = %s AND status = 'todo'", submission.key)
                if found:
                    return found[0]

    def find(self, job_id: str) -> Job | None:
        """Return a job."""
        if not job_id.isdecimal():
            return None
        found = self._select("WHERE j.id = %s", int(job_id))
        return found[0] if found else None

    def listed(
        self,
        *,
        queue: str | None,
        status: JobStatus | None,
        limit: int,
        beyond: str | None = None,
        backward: bool = False,
    ) -> Sequence[Job]:
        """Return the newest jobs first, older than ``beyond``; with ``backward`` the oldest first, newer than it."""
        wanted = [own for own, ours in _STATUS.items() if status is None or ours == status]
        side, order = (">", "ASC") if backward else ("<", "DESC")
        return self._select(
            "WHERE (%s::text IS NULL OR queue_name = %s) AND status::text = ANY(%s) "
            f"AND (%s::bigint IS NULL OR j.id {side} %s) ORDER BY j.id {order} LIMIT %s",
            queue,
            queue,
            wanted,
            beyond,
            beyond,
            limit,
        )

    def counts(self) -> Mapping[str, Mapping[JobStatus, int]]:
        """Return for each queue how many jobs are in which status."""
        found: dict[str, dict[JobStatus, int]] = {}
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT queue_name, status::text, count(*) FROM procrastinate_jobs GROUP BY 1, 2"
            )
            for queue, status, count in cursor.fetchall():
                own = found.setdefault(queue, {})
                own[_STATUS[status]] = own.get(_STATUS[status], 0) + count
        return found

    def cancel(self, job_id: str) -> JobStatus | None:
        """Cancel a waiting job, or ask a running one to stop; return its status then, None when there is none."""
        if not job_id.isdecimal():
            return None
        self.jobs.cancel_job_by_id(int(job_id), abort=True)
        found = self.find(job_id)
        return None if found is None else found.status

    def retry(self, job_id: str) -> bool:
        """Let a failed or cancelled job run again; tell whether it was one."""
        if not job_id.isdecimal():
            return False
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(
                "UPDATE procrastinate_jobs SET status = 'failed', abort_requested = false "
                "WHERE id = %s AND status IN ('failed', 'cancelled', 'aborted')",
                [int(job_id)],
            )
            if not cursor.rowcount:
                return False
            self.jobs.retry_job_by_id(int(job_id), timezone.now())
        return True

    def purge(self, *, succeeded_h: int, others_h: int) -> None:
        """Forget jobs that ended so many hours ago."""
        now(self.jobs.delete_old_jobs(succeeded_h))
        now(
            self.jobs.delete_old_jobs(
                others_h, include_failed=True, include_cancelled=True, include_aborted=True
            )
        )

    def is_waiting(self, queues: Sequence[str]) -> bool:
        """Tell whether a job of ``queues`` is due and has not begun."""
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT EXISTS (SELECT 1 FROM procrastinate_jobs WHERE status = 'todo' "
                "AND queue_name = ANY(%s) AND (scheduled_at IS NULL OR scheduled_at <= now()))",
                [list(queues)],
            )
            return bool(cursor.fetchone()[0])

    def alive(self) -> int:
        """Return how many workers have given a sign of life lately."""
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM procrastinate_workers "
                "WHERE last_heartbeat > statement_timestamp() - make_interval(secs => %s)",
                [self.stalled_after_s],
            )
            return int(cursor.fetchone()[0])

    def work(
        self,
        execute: Execute,
        *,
        queues: Sequence[str],
        concurrency: int,
        stop: threading.Event,
        every_second: Callable[[Sequence[Control]], bool],
    ) -> None:
        """Run jobs of ``queues`` until ``stop`` is set, then wait for those that run."""
        from platform_core.tasks.worker import Worker

        Worker(
            self,
            execute,
            queues,
            concurrency,
            stop,
            every_second,
            stalled_after_s=self.stalled_after_s,
        ).run()

    # What a worker asks for

    def join(self) -> int:
        """Register a worker and return its number."""
        return now(self.jobs.register_worker())

    def leave(self, worker: int) -> None:
        """Take a worker that has ended out; what it still held counts as stalled."""
        now(self.jobs.unregister_worker(worker))

    def beat(self, worker: int) -> bool:
        """Give a sign of life; tell whether the worker still counts as one."""
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE procrastinate_workers SET last_heartbeat = statement_timestamp() WHERE id = %s",
                [worker],
            )
            return bool(cursor.rowcount)

    def fetch(self, worker: int, queues: Sequence[str]) -> RowClaim | None:
        """Claim the next job of ``queues`` for a worker."""
        row = now(self.jobs.fetch_job(list(queues), worker))
        if row is None:
            return None
        return claim_of(self.jobs, row)

    def to_stop(self, job_ids: Sequence[str]) -> Sequence[str]:
        """Return those running jobs that were asked to stop."""
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT id::text FROM procrastinate_jobs "
                "WHERE id = ANY(%s) AND status = 'doing' AND abort_requested",
                [list(map(int, job_ids))],
            )
            return [one for (one,) in cursor.fetchall()]

    def held(self, worker: int) -> Sequence[RowClaim]:
        """Return the jobs that a worker holds."""
        rows = now(self.jobs.list_jobs_async(worker_id=worker, status=Status.DOING.value))
        return [claim_of(self.jobs, row) for row in rows]

    def stalled(self, after_s: float) -> Sequence[RowClaim]:
        """Return the jobs whose workers are dead."""
        rows = now(self.jobs.get_stalled_jobs(seconds_since_heartbeat=after_s))
        return [claim_of(self.jobs, row) for row in rows]

    def forget_dead(self, after_s: float) -> None:
        """Take the workers out that gave no sign of life for long."""
        now(self.jobs.prune_stalled_workers(after_s))

    def _select(self, condition: str, *parameters: Any) -> list[Job]:
        with connection.cursor() as cursor:
            cursor.execute(_SELECT + condition, parameters)
            return [
                Job(
                    id=str(row[0]),
                    task=row[1],
                    queue=row[2],
                    payload=json.loads(row[3]),
                    status=_STATUS[row[4]],
                    attempts=row[5],
                    priority=row[6],
                    not_before=row[7],
                    cancel_requested=row[8],
                    enqueued_at=row[9],
                    started_at=row[10],
                    finished_at=row[11],
                )
                for row in cursor.fetchall()
            ]


def _handed_in(row: Row, submission: Submission) -> Job:
    return Job(
        id=str(row.id),
        task=submission.task,
        queue=submission.queue,
        payload=submission.payload,
        priority=submission.priority,
        not_before=submission.not_before,
        enqueued_at=timezone.now(),
    )
