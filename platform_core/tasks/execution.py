"""Run one claimed job to its end: as whoever asked for it, its effects and its completion in one transaction."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Literal

import structlog
from django.db import IntegrityError, InterfaceError, OperationalError, transaction
from django.db.models import F
from django.utils import timezone, translation
from structlog.contextvars import bound_contextvars

from platform_core.observability.redaction import carrying
from platform_core.runtime_settings.reading import watch
from platform_core.tasks.backend import result_of
from platform_core.tasks.catalogue import CORE, OwnedTask, all_tasks
from platform_core.tasks.context import Cancelled, Context
from platform_core.tasks.declaring import NO_RETRY
from platform_core.tasks.engine import Claim, ClaimLost, Control, Job
from platform_core.tasks.measuring import count_job
from platform_core.tasks.payload import acting_for

log = structlog.get_logger("platform_core.tasks")

LOST_LIMIT: Final = 10
"""A job that was running when so many workers or connections died is given up: it may be what kills them."""
UNKNOWN_WAIT_S: Final = 60
"""A job whose task this process does not know waits for one that was started with the right plugins."""
DATABASE_GONE = (OperationalError, InterfaceError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a job ended without success; ``problem`` is what a client may read of it."""

    status: Literal["failed", "cancelled"]
    problem: Mapping[str, Any] | None = None
    error_id: str = ""
    error_class: str = ""


def execute(claim: Claim, control: Control) -> None:
    """Run the job of ``claim``, and note what it came to; what it raises is logged with its owner.

    Raises only what the database raises when it is gone; then the job is still held, for the worker to put back.
    """
    job = claim.job
    watch().look()
    language = str(job.payload.get("language") or "")
    with (
        bound_contextvars(plugin=job.queue, task=job.task, job_id=job.id),
        acting_for(job.payload),
        translation.override(language or None),
        carrying(lambda: [job.payload.get("args"), job.payload.get("kwargs")]),
    ):
        known = all_tasks().get(job.task)
        if known is None or known.owner not in (job.queue, CORE):
            log.error("unknown task", wait_s=UNKNOWN_WAIT_S)
            _settle_quietly(claim, lambda: _wait(claim, UNKNOWN_WAIT_S))
            return
        started = time.perf_counter()
        ended = _attempt(claim, known, control)
        count_job(job.queue, job.task, ended, time.perf_counter() - started)


def _attempt(claim: Claim, known: OwnedTask, control: Control) -> str:
    try:
        _run(claim, known, control)
    except ClaimLost:
        log.warning("job was taken over; this attempt is undone")
        return "taken_over"
    except Cancelled:
        log.info("job cancelled")
        _settle_quietly(claim, lambda: end(claim, known, Outcome(status="cancelled")))
        return "cancelled"
    except DATABASE_GONE as error:
        log.warning("job interrupted by the database", error=type(error).__name__)
        _settle_quietly(claim, lambda: give_back(claim, known))
        return "interrupted"
    except (
        Exception,
        SystemExit,
    ) as error:  # whatever a stranger's task raises, the worker goes on
        return _failed(claim, known, error)
    return "succeeded"


def _run(claim: Claim, known: OwnedTask, control: Control) -> None:
    task, job = known.task, claim.job
    args = list(job.payload.get("args", ()))
    if task.takes_context:
        args.insert(0, Context(task_result=result_of(job, task, None), control=control))

    def call() -> Any:
        return task.func(*args, **job.payload.get("kwargs", {}))

    if not task.atomic:
        value = call()
    with transaction.atomic():
        if task.atomic:
            value = call()
        if value is not None:
            _record(job, result=_plain(job, value), running=False)
        claim.complete()


def _plain(job: Job, value: Any) -> Any:
    import json

    try:
        return json.loads(json.dumps(value, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise TypeError(f"{job.task} returned what is not JSON: {error}") from None


def _failed(claim: Claim, known: OwnedTask, error: BaseException) -> str:
    outcome = _refusal(error, known)
    wait: float | None = None
    if outcome is None:
        failures = _failures(claim.job) + 1
        if isinstance(error, Exception):
            wait = known.task.retry.wait_after(failures, error)
        outcome = Outcome(
            status="failed", error_id=str(uuid.uuid4()), error_class=_class_path(error)
        )
        log.error(
            "job failed",
            error_id=outcome.error_id,
            failures=failures,
            again_in_s=None if wait is None else round(wait, 1),
            exc_info=error,
        )
    else:
        log.info("job refused", error=outcome.error_class)

    def settle() -> None:
        if wait is None:
            end(claim, known, outcome)
            return
        _record(
            claim.job,
            failures=F("failures") + 1,
            error_id=outcome.error_id,
            error_class=outcome.error_class,
            running=False,
        )
        if not claim.put_back(timezone.now() + timedelta(seconds=wait)):
            _tell(claim.job, known, Outcome(status="cancelled"))

    _settle_quietly(claim, settle)
    return "failed" if wait is None else "retried"


def _failures(job: Job) -> int:
    from platform_core.models import TaskRecord

    return TaskRecord.objects.filter(pk=job.id).values_list("failures", flat=True).first() or 0


def _refusal(error: BaseException, known: OwnedTask) -> Outcome | None:
    """Return the outcome for an error that another attempt cannot change, else None."""
    from django.core.exceptions import PermissionDenied, ValidationError
    from django.http import Http404
    from rest_framework.exceptions import APIException

    from platform_core.errors import DomainError
    from platform_core.resource.problems import answer_to

    expected = (DomainError, PermissionDenied, ValidationError, Http404, APIException)
    final = isinstance(error, IntegrityError) and known.task.retry is NO_RETRY
    if not (final or isinstance(error, expected)):
        return None
    assert isinstance(error, Exception)
    answer = answer_to(None, error)
    if answer is None:
        return None
    import orjson

    return Outcome(
        status="failed", problem=orjson.loads(answer.content), error_class=_class_path(error)
    )


def _class_path(error: BaseException) -> str:
    return f"{type(error).__module__}.{type(error).__qualname__}"[:200]


def end(claim: Claim, known: OwnedTask | None, outcome: Outcome) -> None:
    """End a job without success, and tell its task's owner in the same transaction."""
    if outcome.error_class:
        _record(
            claim.job,
            failures=F("failures") + 1,
            error_id=outcome.error_id,
            error_class=outcome.error_class,
            running=False,
        )
    _tell(
        claim.job, known, outcome
    )  # first: whoever cancels an operation locks its row before the job's, too
    claim.fail(outcome.status)


def _tell(job: Job, known: OwnedTask | None, outcome: Outcome) -> None:
    if known is not None and known.task.settled is not None:
        known.task.settled(job, outcome)


def give_back(claim: Claim, known: OwnedTask | None, wait_s: float = 0) -> None:
    """Let a job run again whose worker or connection died; one that survived too many of them ends."""
    record = _record(claim.job, lost=F("lost") + 1, running=False)
    if record.lost > LOST_LIMIT:
        log.error("job given up: its workers died too often", lost=record.lost)
        error_id = str(uuid.uuid4())
        end(claim, known, Outcome(status="failed", error_id=error_id, error_class="WorkerLost"))
        return
    if not claim.put_back(timezone.now() + timedelta(seconds=wait_s)):
        _tell(claim.job, known, Outcome(status="cancelled"))


def _wait(claim: Claim, seconds: float) -> None:
    claim.put_back(timezone.now() + timedelta(seconds=seconds))


def _settle_quietly(claim: Claim, settle: Any) -> None:
    """Run ``settle`` in a transaction of its own; that somebody else has the job by now is no failure."""
    try:
        with transaction.atomic():
            settle()
    except ClaimLost:
        log.warning("job was taken over; what it came to here is left aside")


def _record(job: Job, **values: Any) -> Any:
    """Update the record of a job, made when there is none, and return it as it is now."""
    from platform_core.models import TaskRecord

    record, _ = TaskRecord.objects.get_or_create(
        job_id=job.id, defaults={"plugin": job.queue, "task": job.task}
    )
    TaskRecord.objects.filter(pk=job.id).update(updated_at=timezone.now(), **values)
    record.refresh_from_db()
    return record
