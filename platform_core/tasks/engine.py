"""What carries jobs from those who ask to those who work: the seam behind which another engine may stand."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

JobStatus = Literal["waiting", "running", "succeeded", "failed", "cancelled"]
FINAL: frozenset[JobStatus] = frozenset({"succeeded", "failed", "cancelled"})


class ClaimLost(Exception):
    """Somebody else has the job by now; what this attempt did has to be undone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """A job as it is handed in: the name of its task, its owner's slug as queue, and JSON data."""

    task: str
    queue: str
    payload: Mapping[str, Any]
    priority: int = 0
    key: str | None = None
    not_before: dt.datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job as it stands. ``attempts`` are those that ended, without success."""

    id: str
    task: str
    queue: str
    payload: Mapping[str, Any] = field(repr=False)
    status: JobStatus = "waiting"
    attempts: int = 0
    priority: int = 0
    not_before: dt.datetime | None = None
    cancel_requested: bool = False
    enqueued_at: dt.datetime | None = None
    started_at: dt.datetime | None = None
    finished_at: dt.datetime | None = None


class Claim(Protocol):
    """A job that a worker holds. Each method ends the hold, and raises ``ClaimLost`` when it is gone already.

    They belong into a transaction of the caller, whose commit they take part in.
    """

    @property
    def job(self) -> Job:
        """The job as it was claimed."""

    def complete(self) -> None:
        """Note that the job is done."""

    def fail(self, status: Literal["failed", "cancelled"]) -> None:
        """Note that the job has ended without success."""

    def put_back(self, not_before: dt.datetime) -> bool:
        """Let the job be run again, not before the time; False when it ends as cancelled instead."""


class Execute(Protocol):
    """Runs one claimed job to its end; never raises for what the job does."""

    def __call__(self, claim: Claim, control: Control) -> None:
        """Run it."""


class Control:
    """What a running job and its worker tell each other: progress in one direction, cancellation in the other."""

    __slots__ = ("_cancelled", "job_id", "plugin", "progress", "task", "written")

    def __init__(self, job: Job) -> None:
        self.job_id, self.plugin, self.task = job.id, job.queue, job.task
        self.progress: tuple[int, int, str] | None = None
        self.written: tuple[tuple[int, int, str] | None, ...] = ()
        """The progress that others can see already, if any."""
        self._cancelled = threading.Event()

    @property
    def cancelled(self) -> bool:
        """Whether the job was asked to stop."""
        return self._cancelled.is_set()

    def cancel(self) -> None:
        """Ask the job to stop at the next opportunity."""
        self._cancelled.set()


class Engine(Protocol):
    """Keeps jobs and runs workers. All of it but ``work`` takes part in the caller's transaction."""

    def enqueue(self, submission: Submission) -> Job:
        """Add a job, or return the one that waits under the same key."""

    def find(self, job_id: str) -> Job | None:
        """Return a job."""

    def listed(
        self,
        *,
        queue: str | None,
        status: JobStatus | None,
        limit: int,
        beyond: str | None = None,
        backward: bool = False,
    ) -> Sequence[Job]:
        """Return the newest jobs first: those that are older than the job ``beyond``, if one is given.

        ``backward`` turns round both the order and which side of ``beyond`` is meant.
        """

    def counts(self) -> Mapping[str, Mapping[JobStatus, int]]:
        """Return for each queue how many jobs are in which status."""

    def cancel(self, job_id: str) -> JobStatus | None:
        """Cancel a waiting job, or ask a running one to stop; return its status then, None when there is none."""

    def retry(self, job_id: str) -> bool:
        """Let a failed or cancelled job run again; tell whether it was one."""

    def purge(self, *, succeeded_h: int, others_h: int) -> None:
        """Forget jobs that ended so many hours ago."""

    def is_waiting(self, queues: Sequence[str]) -> bool:
        """Tell whether a job of ``queues`` is due and has not begun."""

    def alive(self) -> int:
        """Return how many workers have given a sign of life lately."""

    def work(
        self,
        execute: Execute,
        *,
        queues: Sequence[str],
        concurrency: int,
        stop: threading.Event,
        every_second: Callable[[Sequence[Control]], bool],
    ) -> None:
        """Run jobs of ``queues`` until ``stop`` is set, then wait for those that run.

        ``every_second`` is called about once a second with the controls of the running jobs, and says whether new ones
        may be taken.
        """
