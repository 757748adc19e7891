"""The core's own table of operations: long work that somebody asked for and may watch, fetch and cancel."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from platform_core.models.identifiers import uuid7


class Operation(models.Model):
    """Work that goes on after the request that asked for it was answered with 202."""

    class State(models.TextChoices):
        """Where it stands."""

        QUEUED = "queued", _("queued")
        RUNNING = "running", _("running")
        SUCCEEDED = "succeeded", _("succeeded")
        FAILED = "failed", _("failed")
        CANCELLED = "cancelled", _("cancelled")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    plugin = models.CharField(max_length=100)
    kind = models.CharField(max_length=200)
    """What is done, such as ``billing.invoices.issue``."""
    actor_id = models.UUIDField(null=True)
    actor_kind = models.CharField(max_length=20)
    state = models.CharField(max_length=20, choices=State, default=State.QUEUED)
    job_id = models.CharField(max_length=64, blank=True)
    request_id = models.CharField(max_length=64, blank=True)
    result = models.JSONField(null=True)
    problem = models.JSONField(null=True)
    input_size = models.BigIntegerField(null=True)
    file_name = models.CharField(max_length=200, blank=True)
    file_type = models.CharField(max_length=100, blank=True)
    file_token = models.CharField(max_length=32, blank=True)
    """Which of the files that attempts have made is the result."""
    file_size = models.BigIntegerField(null=True)
    cancel_requested = models.BooleanField(default=False)
    dry_run = models.BooleanField(default=False, db_default=False)
    """Whether all that it does is undone at its end, and only what it would have come to is kept."""
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(db_index=True)
    """When it is forgotten, with its files."""

    objects = models.Manager()
    all_objects = models.Manager()

    class Meta:
        verbose_name = _("operation")
        verbose_name_plural = _("operations")
        indexes = (
            models.Index(fields=["actor_id", "-created_at"], name="platform_core_operation_own"),
            models.Index(fields=["job_id"], name="platform_core_operation_job"),
            models.Index(fields=["created_at", "id"], name="platform_core_operation_order"),
        )

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"
