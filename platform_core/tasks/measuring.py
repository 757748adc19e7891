"""Metrics of jobs for Prometheus, labelled by the plugin that owns the task."""

from __future__ import annotations

from typing import Any

from platform_core.observability.metrics import Gauge, made_once
from platform_core.tasks.backend import engine

_BUCKETS = (0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0, 120.0, 600.0)


@made_once
def _histogram() -> Any:
    from prometheus_client import Histogram

    return Histogram(
        "platform_job_seconds",
        "Seconds an attempt of a job took.",
        ["plugin", "task", "outcome"],
        buckets=_BUCKETS,
    )


def count_job(plugin: str, task: str, outcome: str, seconds: float) -> None:
    """Add an attempt of a job."""
    _histogram().labels(plugin, task, outcome).observe(seconds)


def job_gauges() -> list[Gauge]:
    """Return how many jobs each plugin has in which status, and how many workers live; DatabaseError without one."""
    counts = engine().counts()
    return [
        Gauge(
            name="platform_jobs",
            help="Jobs by status; ended ones are forgotten after a while.",
            labels=("plugin", "status"),
            values={
                (plugin, status): count
                for plugin, own in counts.items()
                for status, count in own.items()
            },
        ),
        Gauge(
            name="platform_workers",
            help="Workers that have given a sign of life lately.",
            values={(): engine().alive()},
        ),
    ]
