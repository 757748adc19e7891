"""The core's own tables of webhooks: who is told elsewhere, what they are told, and what came of it."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from platform_core.models.encrypted import EncryptedTextField
from platform_core.models.fields import VersionField
from platform_core.models.identifiers import uuid7


class WebhookEndpoint(models.Model):
    """An address elsewhere that is told of events. Deleting it removes its secrets and its deliveries for good."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    url = models.CharField(_("URL"), max_length=2000)
    description = models.CharField(_("description"), max_length=500, blank=True)
    event_types = models.JSONField(_("event types"))
    """Names of events, or beginnings of names with ``.*`` behind."""
    enabled = models.BooleanField(_("enabled"), default=True)
    disabled_because = models.CharField(
        _("disabled because"), max_length=20, blank=True, default=""
    )
    """Why the platform itself has disabled it: ``gone`` or ``failing``."""
    secret = EncryptedTextField(_("secret"), editable=False)
    previous_secret = EncryptedTextField(_("previous secret"), null=True, editable=False)
    previous_secret_until = models.DateTimeField(_("previous secret until"), null=True)
    failing_since = models.DateTimeField(_("failing since"), null=True)
    """When the first of the attempts was made of which none has succeeded."""
    overloads = models.PositiveIntegerField(default=0)
    """How many attempts in a row were not answered in time, or by a server that has too much to do."""
    resting_until = models.DateTimeField(null=True)
    """Until when nothing is sent, so that a receiver in trouble holds up nobody else."""
    created_by_kind = models.CharField(max_length=20, blank=True, default="", db_default="")
    created_by_id = models.UUIDField(null=True)
    """Who made it, and is told when the platform disables it."""
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    updated_at = models.DateTimeField(_("updated at"), auto_now=True)
    version = VersionField(_("version"))

    objects = models.Manager()
    all_objects = models.Manager()

    not_personal_fields = ("description",)

    class Meta:
        verbose_name = _("webhook endpoint")
        verbose_name_plural = _("webhook endpoints")
        indexes = (models.Index(fields=["created_at", "id"], name="platform_core_webhook_order"),)

    def __str__(self) -> str:
        return str(self.id)


class WebhookMessage(models.Model):
    """What is told: the part of an event that may leave, under the id that it keeps however often it is sent."""

    id = models.UUIDField(primary_key=True, editable=False)
    event_type = models.CharField(max_length=150)
    plugin = models.CharField(max_length=100)
    data = models.JSONField()
    occurred_at = models.DateTimeField()
    created_at = models.DateTimeField(db_index=True)

    class Meta:
        verbose_name = _("webhook message")
        verbose_name_plural = _("webhook messages")

    def __str__(self) -> str:
        return f"{self.event_type} {self.id}"


class WebhookDelivery(models.Model):
    """A message on its way to one endpoint, and what the last attempt came to; ``WebhookAttempt`` has those before."""

    class State(models.TextChoices):
        """Where it stands."""

        PENDING = "pending", _("pending")
        DELIVERED = "delivered", _("delivered")
        FAILED = "failed", _("failed")

    # No foreign keys: an endpoint that is deleted meanwhile must not undo what somebody else tells it.
    endpoint_id = models.UUIDField()
    message_id = models.UUIDField()
    event_type = models.CharField(max_length=150)
    plugin = models.CharField(max_length=100)
    state = models.CharField(max_length=20, choices=State, default=State.PENDING)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()
    attempted_at = models.DateTimeField(null=True)
    error = models.CharField(max_length=40, blank=True)
    """Why nothing was answered, as a code; empty when something was."""
    response_status = models.PositiveSmallIntegerField(null=True)
    response_body = models.TextField(blank=True)
    """The beginning of what was answered."""
    duration_ms = models.PositiveIntegerField(null=True)

    objects = models.Manager()
    all_objects = models.Manager()

    not_personal_fields = ("response_body",)
    view_permission = "system.view_webhook_deliveries"

    class Meta:
        verbose_name = _("webhook delivery")
        verbose_name_plural = _("webhook deliveries")
        indexes = (
            models.Index(
                fields=["endpoint_id", "next_attempt_at"],
                condition=Q(state="pending"),
                name="platform_core_webhook_due",
            ),
            models.Index(
                fields=["endpoint_id", "state", "created_at"], name="platform_core_webhook_of"
            ),
            models.Index(
                fields=["plugin", "state"],
                condition=~Q(state="delivered"),
                name="platform_core_webhook_open",
            ),
        )
        constraints = (
            models.UniqueConstraint(
                fields=["message_id", "endpoint_id"], name="platform_core_webhook_once"
            ),
        )

    def __str__(self) -> str:
        return f"{self.message_id} to {self.endpoint_id}"


class WebhookTurn(models.Model):
    """Which process sends to an endpoint now, or when the last one ended; apart from the endpoint, which people change."""

    endpoint_id = models.UUIDField(primary_key=True)
    sender = models.UUIDField(null=True)
    """A process, while it sends."""
    seen_at = models.DateTimeField()
    """When it last gave a sign of life, or ended."""
    is_slow = models.BooleanField(default=False)
    """Whether the last attempt was slow, or found a receiver in trouble."""

    class Meta:
        verbose_name = _("turn of a webhook endpoint")
        verbose_name_plural = _("turns of webhook endpoints")

    def __str__(self) -> str:
        return str(self.endpoint_id)


class WebhookAttempt(models.Model):
    """One attempt to deliver, and what it came to. Of each delivery the latest are kept, for as long as it is."""

    # Without a constraint, for the same reason; what has lost its delivery is forgotten.
    delivery = models.ForeignKey(
        WebhookDelivery, on_delete=models.DO_NOTHING, db_constraint=False, related_name="made"
    )
    number = models.PositiveSmallIntegerField()
    """Which attempt it was; whoever has a message delivered again begins at 1 anew."""
    attempted_at = models.DateTimeField()
    duration_ms = models.PositiveIntegerField()
    error = models.CharField(max_length=40, blank=True)
    response_status = models.PositiveSmallIntegerField(null=True)
    response_body = models.TextField(blank=True)

    objects = models.Manager()
    all_objects = models.Manager()

    not_personal_fields = ("response_body",)

    class Meta:
        verbose_name = _("webhook attempt")
        verbose_name_plural = _("webhook attempts")

    def __str__(self) -> str:
        return f"{self.delivery_id} {self.number}"
