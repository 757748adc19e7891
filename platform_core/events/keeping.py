"""How long events are kept, and what goes when nobody waits for it any more."""

from __future__ import annotations

import datetime as dt
from typing import Final

import structlog

from platform_core.registry.contents import Registry

log = structlog.get_logger("platform_core.events")

_AT_ONCE: Final = 10_000


def forget_events(before: dt.datetime) -> int:
    """Remove events that are older and that nobody waits for, with their receipts, and return how many events."""
    from platform_core.models import EventReceipt, EventRecord  # needs loaded models

    old = EventRecord.objects.filter(occurred_at__lt=before, deliveries=None)
    ids = list(old.order_by("occurred_at").values_list("pk", flat=True)[:_AT_ONCE])
    EventReceipt.objects.filter(event_id__in=ids).delete()
    EventRecord.objects.filter(pk__in=ids).delete()
    return len(ids)


def forget_deliveries(registry: Registry) -> None:
    """Remove what waits for subscriptions that an enabled plugin had and has no more."""
    from platform_core.models import EventDelivery  # needs loaded models

    enabled = [plugin.slug for plugin in registry.plugins if plugin.enabled]
    known = [entry.key for entry in registry.entries["subscriptions"]]
    gone = EventDelivery.objects.filter(plugin__in=enabled).exclude(subscription__in=known)
    count, _by_model = gone.delete()
    if count:
        log.warning("events for subscriptions that are gone were dropped", deliveries=count)
