"""The hold of a worker on a job of procrastinate."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Literal

from django.db import connection, transaction
from procrastinate import exceptions
from procrastinate.jobs import Job as Row
from procrastinate.jobs import Status
from procrastinate.manager import JobManager

from platform_core.tasks.engine import ClaimLost, Job
from platform_core.tasks.procrastinate_connector import now


@dataclass(frozen=True, slots=True)
class RowClaim:
    """The hold of one worker on one attempt of a job, which is the fence against a second one that runs it too."""

    jobs: JobManager
    row: Row
    job: Job

    def complete(self) -> None:
        """Note that the job is done; raises ClaimLost."""
        self._hold()
        now(self.jobs.finish_job(self.row, Status.SUCCEEDED, delete_job=False))

    def fail(self, status: Literal["failed", "cancelled"]) -> None:
        """Note that the job has ended without success; raises ClaimLost."""
        self._hold()
        ended = Status.FAILED if status == "failed" else Status.ABORTED
        now(self.jobs.finish_job(self.row, ended, delete_job=False))

    def put_back(self, not_before: dt.datetime) -> bool:
        """Queue the job again and return True; raises ClaimLost.

        One that was asked to stop, or whose key waits again meanwhile, ends as cancelled instead.
        """
        if not self._hold():
            try:
                with transaction.atomic():
                    now(self.jobs.retry_job(self.row, retry_at=not_before))
            except exceptions.UniqueViolation:
                pass
            else:
                return True
        now(self.jobs.finish_job(self.row, Status.ABORTED, delete_job=False))
        return False

    def _hold(self) -> bool:
        """Lock the job as this worker's attempt, and tell whether it was asked to stop."""
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT abort_requested FROM procrastinate_jobs WHERE id = %s AND status = 'doing' "
                "AND worker_id IS NOT DISTINCT FROM %s AND attempts = %s FOR UPDATE",
                [self.row.id, self.row.worker_id, self.row.attempts],
            )
            found = cursor.fetchone()
        if found is None:
            raise ClaimLost(f"Job {self.row.id} is no longer this worker's.")
        return bool(found[0])


def claim_of(jobs: JobManager, row: Row) -> RowClaim:
    """Return the claim on a row that a worker holds."""
    job = Job(
        id=str(row.id),
        task=row.task_name,
        queue=row.queue,
        payload=row.task_kwargs,
        status="running",
        attempts=row.attempts,
        priority=row.priority,
    )
    return RowClaim(jobs, row, job)
