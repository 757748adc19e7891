"""The core's own tables of events: the outbox, what is on its way to whom, and what has arrived."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class EventStream(models.Model):
    """How many events there were about one thing; whoever emits the next one holds the row until the commit."""

    aggregate = models.CharField(max_length=300, primary_key=True)
    last_sequence = models.BigIntegerField()

    class Meta:
        verbose_name = _("event stream")
        verbose_name_plural = _("event streams")

    def __str__(self) -> str:
        return f"{self.aggregate} {self.last_sequence}"


class EventRecord(models.Model):
    """An event as it was emitted: a row of the outbox, written with what it tells of."""

    id = models.UUIDField(primary_key=True, editable=False)
    name = models.CharField(max_length=150)
    version = models.PositiveSmallIntegerField()
    plugin = models.CharField(max_length=100)
    aggregate = models.CharField(max_length=300)
    sequence = models.BigIntegerField()
    payload = models.JSONField()
    occurred_at = models.DateTimeField(db_index=True)
    actor_kind = models.CharField(max_length=20)
    actor_id = models.UUIDField(null=True)
    request_id = models.CharField(max_length=200, blank=True)

    class Meta:
        db_table = "platform_core_event"
        verbose_name = _("event")
        verbose_name_plural = _("events")
        constraints = (
            models.UniqueConstraint(
                fields=["aggregate", "sequence"], name="platform_core_event_in_order"
            ),
        )

    def __str__(self) -> str:
        return f"{self.name} {self.id}"


class EventDelivery(models.Model):
    """An event on its way to one subscriber. The row goes when the subscriber has it; parked ones wait for a person.

    The text of an error is never kept: it may hold what the event was about. ``error_id`` finds it in the logs.
    """

    event = models.ForeignKey(EventRecord, on_delete=models.CASCADE, related_name="deliveries")
    subscription = models.CharField(max_length=200)
    plugin = models.CharField(max_length=100)
    aggregate = models.CharField(max_length=300)
    sequence = models.BigIntegerField()
    attempts = models.PositiveSmallIntegerField(default=0)
    lost = models.PositiveSmallIntegerField(default=0, db_default=0)
    """How often a process began to deliver it and never said how that ended."""
    not_before = models.DateTimeField()
    parked_at = models.DateTimeField(null=True)
    error_id = models.CharField(max_length=64, blank=True)
    error_class = models.CharField(max_length=200, blank=True)
    state = models.GeneratedField(
        expression=models.Case(
            models.When(parked_at__isnull=False, then=models.Value("parked")),
            models.When(attempts__gt=0, then=models.Value("retrying")),
            default=models.Value("waiting"),
        ),
        output_field=models.CharField(max_length=10),
        db_persist=True,
    )

    class Meta:
        verbose_name = _("event delivery")
        verbose_name_plural = _("event deliveries")
        indexes = (models.Index(fields=["plugin"], name="platform_core_delivery_plugin"),)
        constraints = (
            models.UniqueConstraint(
                fields=["subscription", "aggregate", "sequence"],
                name="platform_core_delivery_in_order",
            ),
        )

    def __str__(self) -> str:
        return f"{self.event_id} to {self.subscription}"


class EventReceipt(models.Model):
    """The inbox: that a subscriber has an event, written with what it did about it."""

    subscription = models.CharField(max_length=200)
    event_id = models.UUIDField()
    received_at = models.DateTimeField(db_index=True)

    class Meta:
        verbose_name = _("event receipt")
        verbose_name_plural = _("event receipts")
        constraints = (
            models.UniqueConstraint(
                fields=["event_id", "subscription"], name="platform_core_receipt_once"
            ),
        )

    def __str__(self) -> str:
        return f"{self.event_id} at {self.subscription}"
