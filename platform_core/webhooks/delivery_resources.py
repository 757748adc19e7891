"""What was told over webhooks, over HTTP: messages, deliveries and attempts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext_lazy as _

from platform_core.access import Policy
from platform_core.errors import Conflict
from platform_core.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint, WebhookMessage
from platform_core.resource import ModelSerializer, Resource, operation
from platform_core.webhooks import services
from platform_core.webhooks.permissions import (
    REDELIVER,
    VIEW_ATTEMPTS,
    VIEW_DELIVERIES,
    VIEW_MESSAGES,
)

if TYPE_CHECKING:
    from django.db.models import QuerySet

DISABLED = _("The endpoint is disabled; enable it first.")


class WebhookMessageSerializer(ModelSerializer):
    """What is told: the same to each endpoint, however often it is sent."""

    class Meta:
        model = WebhookMessage
        fields = ("id", "event_type", "plugin", "data", "occurred_at", "created_at")
        read_only_fields = fields


class WebhookMessageResource(Resource):
    """Messages of the last 30 days, newest first; deliveries say to whom they went."""

    model = WebhookMessage
    serializer_class = WebhookMessageSerializer
    name = "webhook-messages"
    actions = ("list", "retrieve")
    policy = Policy(view=VIEW_MESSAGES)
    ordering = "-id"
    filterset_fields = {
        "event_type": ["exact"],
        "plugin": ["exact"],
        "occurred_at": ["gte", "lt"],
    }


class WebhookDeliverySerializer(ModelSerializer):
    """A message to one endpoint: where it stands, and what the last attempt came to."""

    class Meta:
        model = WebhookDelivery
        fields = (
            "id",
            "endpoint_id",
            "message_id",
            "event_type",
            "plugin",
            "state",
            "attempts",
            "created_at",
            "attempted_at",
            "next_attempt_at",
            "error",
            "response_status",
            "response_body",
            "duration_ms",
        )
        read_only_fields = fields


class WebhookDeliveryResource(Resource):
    """Deliveries of the last 30 days, newest first; those that failed for good are the dead letters."""

    model = WebhookDelivery
    serializer_class = WebhookDeliverySerializer
    name = "webhook-deliveries"
    id_converter = "int"
    actions = ("list", "retrieve")
    policy = Policy(view=VIEW_DELIVERIES, redeliver=REDELIVER)
    ordering = "-id"
    filterset_fields = {
        "endpoint_id": ["exact"],
        "message_id": ["exact"],
        "event_type": ["exact"],
        "plugin": ["exact"],
        "state": ["exact"],
        "response_status": ["exact", "gte", "lt"],
        "created_at": ["gte", "lt"],
    }

    @operation(
        verb="redeliver",
        when=lambda delivery: delivery.state != WebhookDelivery.State.PENDING,
        reason=_("It is on its way already."),
    )
    def redeliver(self, delivery: WebhookDelivery, data: Mapping[str, Any]) -> None:
        """Deliver it again, under the id that it has, with all its attempts before it."""
        if not WebhookEndpoint.objects.filter(pk=delivery.endpoint_id, enabled=True).exists():
            raise Conflict(DISABLED, code="not_possible")
        rows: QuerySet[WebhookDelivery] = WebhookDelivery.objects.filter(pk=delivery.pk)
        services.redeliver(deliveries=rows)


class WebhookAttemptSerializer(ModelSerializer):
    """One attempt to deliver, and what it came to."""

    class Meta:
        model = WebhookAttempt
        fields = (
            "id",
            "delivery",
            "number",
            "attempted_at",
            "duration_ms",
            "error",
            "response_status",
            "response_body",
        )
        read_only_fields = fields


class WebhookAttemptResource(Resource):
    """Attempts to deliver, the latest first: of each delivery the last 20, for as long as it is kept itself."""

    model = WebhookAttempt
    serializer_class = WebhookAttemptSerializer
    name = "webhook-attempts"
    id_converter = "int"
    actions = ("list", "retrieve")
    policy = Policy(view=VIEW_ATTEMPTS)
    parents = {"webhook-deliveries": "delivery"}
    ordering = "-id"
    filterset_fields = {
        "delivery": ["exact"],
        "error": ["exact"],
        "response_status": ["exact", "gte", "lt"],
        "attempted_at": ["gte", "lt"],
    }
