"""Events over HTTP: what was told, what is on its way to whom, and what is decided about those that are parked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from platform_core.access import FieldAccess, Granted, Policy
from platform_core.contributions import Permission
from platform_core.errors import Conflict
from platform_core.events import overview
from platform_core.events.catalogue import deliverable
from platform_core.models import EventDelivery, EventRecord
from platform_core.resource import ModelSerializer, Resource, operation

if TYPE_CHECKING:
    from django.db.models import QuerySet

VIEW_EVENTS = "system.view_events"
VIEW_DELIVERIES = "system.view_event_deliveries"
VIEW_PAYLOADS = "system.view_event_payloads"
RETRY_EVENTS = "system.retry_events"
SKIP_EVENTS = "system.skip_events"

_EVENT, _DELIVERY = EventRecord._meta.label, EventDelivery._meta.label

PERMISSIONS = (
    Permission(
        name=VIEW_EVENTS,
        title=_("View events, without what they tell"),
        rule=Granted(VIEW_EVENTS),
        model=_EVENT,
    ),
    Permission(
        name=VIEW_DELIVERIES,
        title=_("View to whom events are on their way"),
        rule=Granted(VIEW_DELIVERIES),
        model=_DELIVERY,
    ),
    Permission(
        name=VIEW_PAYLOADS,
        title=_("View what events tell"),
        rule=Granted(VIEW_PAYLOADS),
        model=_EVENT,
    ),
    Permission(
        name=RETRY_EVENTS,
        title=_("Deliver parked events again"),
        rule=Granted(RETRY_EVENTS),
        model=_DELIVERY,
    ),
    Permission(
        name=SKIP_EVENTS,
        title=_("Give parked events up for their subscribers"),
        rule=Granted(SKIP_EVENTS),
        model=_DELIVERY,
    ),
)


class EventSerializer(ModelSerializer):
    """An event as it was emitted."""

    class Meta:
        model = EventRecord
        fields = (
            "id",
            "name",
            "version",
            "plugin",
            "aggregate",
            "sequence",
            "occurred_at",
            "actor_kind",
            "actor_id",
            "request_id",
            "payload",
        )
        read_only_fields = fields


class EventResource(Resource):
    """Events, newest first, for as many days as they are kept; what they tell needs a permission of its own."""

    model = EventRecord
    serializer_class = EventSerializer
    name = "events"
    actions = ("list", "retrieve")
    policy = Policy(view=VIEW_EVENTS)
    field_rules = {"payload": FieldAccess(view=Granted(VIEW_PAYLOADS))}
    ordering = "-occurred_at"
    filterset_fields = {
        "name": ["exact", "in"],
        "plugin": ["exact"],
        "aggregate": ["exact"],
        "actor_id": ["exact"],
        "request_id": ["exact"],
        "occurred_at": ["gte", "lt"],
    }


class EventDeliverySerializer(ModelSerializer):
    """An event on its way to one subscriber; ``error_id`` finds its last failure in the logs."""

    event_id = serializers.UUIDField(read_only=True)
    asleep = serializers.SerializerMethodField()

    class Meta:
        model = EventDelivery
        fields = (
            "id",
            "event_id",
            "subscription",
            "plugin",
            "aggregate",
            "sequence",
            "state",
            "asleep",
            "attempts",
            "lost",
            "not_before",
            "parked_at",
            "error_id",
            "error_class",
        )
        read_only_fields = fields

    def get_asleep(self, delivery: Any) -> bool:
        """Tell whether it waits for its plugin to be enabled."""
        return delivery.subscription not in deliverable()


def _is_parked(delivery: Any) -> bool:
    return delivery.parked_at is not None


class EventDeliveryResource(Resource):
    """Events on their way, oldest first; the row goes when the subscriber has the event, and when it is given up.

    A parked event holds back the later ones of its aggregate for its subscriber, until it is delivered again or given up
    (``DELETE``).
    """

    model = EventDelivery
    serializer_class = EventDeliverySerializer
    name = "event-deliveries"
    id_converter = "int"
    actions = ("list", "retrieve", "destroy")
    policy = Policy(view=VIEW_DELIVERIES, retry=RETRY_EVENTS, delete=SKIP_EVENTS)
    ordering = "id"
    filterset_fields = {
        "plugin": ["exact"],
        "subscription": ["exact"],
        "state": ["exact", "in"],
        "aggregate": ["exact"],
        "sequence": ["exact"],
    }

    def get_queryset(self) -> QuerySet[EventDelivery]:
        """Return all deliveries."""
        return EventDelivery.objects.all()

    @operation(verb="retry", when=_is_parked, reason=_("Only a parked event is delivered again."))
    def retry(self, delivery: EventDelivery, data: Mapping[str, Any]) -> None:
        """Let a parked event come again at once, once what kept its subscriber from taking it is mended."""
        self.audit_details = _told(delivery)
        overview.retry(delivery=delivery.pk)

    def delete_object(self, obj: EventDelivery) -> None:
        """Give a parked event up for its subscriber; raises Conflict for one that is not parked."""
        if not _is_parked(obj):
            raise Conflict(_("Only a parked event is given up."), code="not_parked")
        self.audit_details = _told(obj)
        overview.skip(delivery=obj.pk)


def _told(delivery: EventDelivery) -> dict[str, str]:
    return {"subscription": delivery.subscription, "event": str(delivery.event_id)}


RESOURCES: tuple[type[Resource], ...] = (EventResource, EventDeliveryResource)
