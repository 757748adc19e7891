"""What operators see of events, and what they do about those that are parked."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Count, Q
from django.db.models.functions import Now

from platform_core.audit import Event, record

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from platform_core.models import EventDelivery

State = Literal["waiting", "retrying", "parked", "sleeping"]
STATES: tuple[State, ...] = ("waiting", "retrying", "parked", "sleeping")

_MOST_NAMED = 100
"""So many events are named by their ids in an event of the audit trail."""

_SKIP = """
WITH gone AS (
    DELETE FROM platform_core_eventdelivery WHERE id = ANY(%s) AND parked_at IS NOT NULL RETURNING subscription, event_id
)
INSERT INTO platform_core_eventreceipt (subscription, event_id, received_at)
SELECT subscription, event_id, clock_timestamp() FROM gone ON CONFLICT DO NOTHING
"""


def overview(
    *, plugin: str | None = None, state: State | None = None, limit: int = 50
) -> dict[str, Any]:
    """Return how many deliveries each subscription waits for in which state, and the oldest of them."""
    found = _deliveries(plugin)
    counts: dict[str, dict[str, int]] = {}
    for name in STATES:
        rows = found.filter(_condition(name)).values("subscription").annotate(count=Count("pk"))
        for row in rows.order_by("subscription"):
            counts.setdefault(row["subscription"], {})[name] = row["count"]
    listed = found if state is None else found.filter(_condition(state))
    return {
        "counts": counts,
        "deliveries": [_told(one) for one in listed.select_related("event").order_by("pk")[:limit]],
    }


def parked_owners() -> dict[str, int]:
    """Return how many parked events there are by the slug of the plugin whose subscriber failed."""
    rows = _deliveries(None).filter(_condition("parked")).values("plugin")
    return {
        row["plugin"]: row["count"] for row in rows.annotate(count=Count("pk")).order_by("plugin")
    }


def retry(*, delivery: int | None = None, subscription: str | None = None) -> int:
    """Let parked events come again at once, one or all of a subscription, and return how many; the audit trail is told."""
    with transaction.atomic():
        found = _held(delivery, subscription)
        again = {"attempts": 0, "lost": 0, "error_id": "", "error_class": ""}
        count = _parked(delivery, subscription).update(parked_at=None, not_before=Now(), **again)
        _tell("event.retried", found)
    return count


def skip(*, delivery: int) -> int:
    """Give up a parked event for its subscriber, as if it had been received; later ones of its aggregate follow."""
    with transaction.atomic(), connection.cursor() as cursor:
        found = _held(delivery, None)
        cursor.execute(_SKIP, [[one.pk for one in found]])
        _tell("event.skipped", found)
        return len(found)


def _held(delivery: int | None, subscription: str | None) -> list[EventDelivery]:
    """Return the parked ones, locked: nobody else decides about them meanwhile."""
    return list(_parked(delivery, subscription).select_for_update().order_by("pk"))


def _tell(action: str, deliveries: Sequence[EventDelivery]) -> None:
    """Record what was decided: one event for each subscription, with how many of what there were."""
    for (plugin, subscription), own in groupby(
        sorted(deliveries, key=lambda one: (one.plugin, one.subscription, one.pk)),
        key=lambda one: (one.plugin, one.subscription),
    ):
        events = [str(one.event_id) for one in own]
        details = {"events": events[:_MOST_NAMED], "count": len(events)}
        record(
            Event(
                action=action,
                plugin=plugin,
                target_type="subscription",
                target_id=subscription,
                details=details,
            )
        )


def _parked(delivery: int | None, subscription: str | None) -> QuerySet[EventDelivery]:
    found = _deliveries(None).filter(parked_at__isnull=False)
    if delivery is not None:
        found = found.filter(pk=delivery)
    return found if subscription is None else found.filter(subscription=subscription)


def _deliveries(plugin: str | None) -> QuerySet[EventDelivery]:
    from platform_core.models import EventDelivery  # needs loaded models

    found = EventDelivery.objects.all()
    return found if plugin is None else found.filter(plugin=plugin)


def _condition(state: State) -> Q:
    from platform_core.events.catalogue import deliverable

    awake = Q(subscription__in=deliverable())
    return {
        "sleeping": ~awake,
        "parked": awake & Q(parked_at__isnull=False),
        "retrying": awake & Q(parked_at__isnull=True, attempts__gt=0),
        "waiting": awake & Q(parked_at__isnull=True, attempts=0),
    }[state]


def _told(one: EventDelivery) -> dict[str, Any]:
    event = one.event
    event_id: UUID = event.pk
    return {
        "id": one.pk,
        "subscription": one.subscription,
        "plugin": one.plugin,
        "event": event.name,
        "event_id": str(event_id),
        "aggregate": one.aggregate,
        "sequence": one.sequence,
        "occurred_at": event.occurred_at.isoformat(),
        "attempts": one.attempts,
        "lost": one.lost,
        "parked_at": one.parked_at.isoformat() if one.parked_at else None,
        "not_before": one.not_before.isoformat(),
        "error_id": one.error_id,
        "error_class": one.error_class,
    }
