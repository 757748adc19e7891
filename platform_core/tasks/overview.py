"""What operators see of background work: counts, schedules, jobs and workers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from platform_core.tasks.backend import engine
from platform_core.tasks.catalogue import all_schedules, all_tasks
from platform_core.tasks.engine import Job, JobStatus
from platform_core.tasks.execution import Outcome
from platform_core.tasks.ticking import next_tick


def overview(*, plugin: str | None = None, status: Any = None, limit: int = 50) -> dict[str, Any]:
    """Return counts by plugin and status, the schedules, the newest jobs and how many workers live.

    Arguments of jobs are left out: they may be personal.
    """
    jobs = engine().listed(queue=plugin, status=status, limit=limit)
    counts = engine().counts()
    return {
        "counts": {
            slug: dict(own)
            for slug, own in sorted(counts.items())
            if plugin is None or slug == plugin
        },
        "schedules": [one for one in schedules() if plugin in (None, one["plugin"])],
        "jobs": shown_jobs(jobs),
        "workers": engine().alive(),
    }


def schedules() -> list[dict[str, Any]]:
    """Return the schedules of this process, with when they last ticked and will tick."""
    from platform_core.models import ScheduleTick

    ticks = dict(ScheduleTick.objects.values_list("name", "ticked_at"))
    zone, now = ZoneInfo(settings.TIME_ZONE), timezone.now()
    return [
        {
            "name": one.name,
            "plugin": one.owner,
            "task": f"{one.owner}.{one.schedule.task.name}",
            "cron": one.schedule.cron,
            "last": _text(ticks.get(one.name)),
            "next": _text(next_tick(one.schedule.cron, zone, now)),
        }
        for one in all_schedules().values()
    ]


def shown_jobs(jobs: Sequence[Job]) -> list[dict[str, Any]]:
    """Return ``jobs`` without their arguments, with how their last failure is found in the logs."""
    from platform_core.models import TaskRecord

    records = TaskRecord.objects.in_bulk([one.id for one in jobs])
    return [_shown(one, records.get(one.id)) for one in jobs]


def _shown(job: Job, record: Any) -> dict[str, Any]:
    return {
        "id": job.id,
        "plugin": job.queue,
        "task": job.task,
        "status": job.status,
        "attempts": job.attempts,
        "not_before": _text(job.not_before),
        "enqueued_at": _text(job.enqueued_at),
        "finished_at": _text(job.finished_at),
        "error_id": record.error_id if record else "",
        "error_class": record.error_class if record else "",
    }


def _text(at: Any) -> str | None:
    return None if at is None else at.isoformat(timespec="seconds")


def cancel_job(job_id: str) -> JobStatus | None:
    """Cancel a waiting job, or ask a running one to stop; return its status then, None when there is none."""
    with transaction.atomic():
        status = engine().cancel(job_id)
        if status == "cancelled":
            job = engine().find(job_id)
            known = None if job is None else all_tasks().get(job.task)
            if job is not None and known is not None and known.task.settled is not None:
                known.task.settled(job, Outcome(status="cancelled"))
    return status
