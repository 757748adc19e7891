"""The core's own tables beside those of the engine: what jobs came to, and when schedules last ticked."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class TaskRecord(models.Model):
    """What is known of a job beyond its status: progress, result, failures. Most jobs need none.

    The text of an error is never kept: it may hold what the job was given. ``error_id`` finds it in the logs.
    """

    job_id = models.CharField(max_length=64, primary_key=True)
    plugin = models.CharField(max_length=100)
    task = models.CharField(max_length=200)
    running = models.BooleanField(default=False)
    failures = models.PositiveIntegerField(default=0)
    lost = models.PositiveIntegerField(default=0)
    """How many workers died while they ran it."""
    progress_done = models.BigIntegerField(default=0)
    progress_total = models.BigIntegerField(default=0)
    progress_note = models.CharField(max_length=200, blank=True)
    result = models.JSONField(null=True)
    error_id = models.CharField(max_length=64, blank=True)
    error_class = models.CharField(max_length=200, blank=True)
    updated_at = models.DateTimeField(auto_now=True, db_index=True)

    class Meta:
        verbose_name = _("task record")
        verbose_name_plural = _("task records")

    def __str__(self) -> str:
        return f"{self.task} {self.job_id}"


class ScheduleTick(models.Model):
    """The last tick of a schedule for which a job was enqueued, or that counts as past."""

    name = models.CharField(max_length=200, primary_key=True)
    plugin = models.CharField(max_length=100)
    ticked_at = models.DateTimeField()

    class Meta:
        verbose_name = _("schedule tick")
        verbose_name_plural = _("schedule ticks")

    def __str__(self) -> str:
        return f"{self.name} {self.ticked_at:%Y-%m-%dT%H:%M:%SZ}"
