"""Metrics of jobs for Prometheus, labelled by the plugin that owns the task."""

from __future__ import annotations

from functools import cache
from typing import Any

_BUCKETS = (0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0, 120.0, 600.0)


@cache
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
