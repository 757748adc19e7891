"""Tell an endpoint what has happened since a moment: what it has missed, or all of it again."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from django.db.models import Exists, OuterRef
from django.utils import timezone

from platform_core.models import EventRecord, WebhookDelivery, WebhookMessage
from platform_core.webhooks.catalogue import external_events, patterns_of
from platform_core.webhooks.services import redeliver

if TYPE_CHECKING:
    from platform_core.events import Event
    from platform_core.models import WebhookEndpoint

MOST_AT_ONCE: Final = 2000
"""So many events are replayed by one call, which a request has to wait for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """How many deliveries are on their way, how many events are of a version that nobody reads, and where to go on."""

    deliveries: int
    unreadable: int
    more_since: dt.datetime | None


def replay(*, endpoint: WebhookEndpoint, since: dt.datetime, again: bool) -> Replayed:
    """Put on their way to ``endpoint`` the events since a moment that it wants and was not told of, the oldest first.

    With ``again`` those too that it was told of, under the ids that they had. Events are there for as long as they
    are kept, whether anybody was told of them or not; of each the part is told that may leave today.
    """
    classes = _wanted(endpoint)
    events = EventRecord.objects.filter(name__in=list(classes), occurred_at__gte=since)
    if not again:
        own = WebhookDelivery.objects.filter(endpoint_id=endpoint.pk, message_id=OuterRef("pk"))
        events = events.filter(~Exists(own))
    found = list(events.order_by("occurred_at", "pk")[: MOST_AT_ONCE + 1])
    more_since = found.pop().occurred_at if len(found) > MOST_AT_ONCE else None
    messages = [made for one in found if (made := _message(one, classes[one.name])) is not None]
    return Replayed(
        deliveries=_put_on_their_way(endpoint, messages),
        unreadable=len(found) - len(messages),
        more_since=more_since,
    )


def _wanted(endpoint: WebhookEndpoint) -> Mapping[str, type[Event]]:
    asked = set(endpoint.event_types)
    return {
        name: one
        for name, one in external_events().items()
        if not asked.isdisjoint(patterns_of(name))
    }


def _message(event: EventRecord, cls: type[Event]) -> WebhookMessage | None:
    """Return what may leave of ``event``; ``None`` when its version cannot be read any more."""
    payload: Mapping[str, Any] = event.payload
    if event.version != cls.version:
        try:
            payload = cls.upgrade(payload, event.version)
        except ValueError:
            return None
    return WebhookMessage(
        id=event.pk,
        event_type=event.name,
        plugin=event.plugin,
        data={name: payload[name] for name in cls.external_fields if name in payload},
        occurred_at=event.occurred_at,
        created_at=timezone.now(),
    )


def _put_on_their_way(endpoint: WebhookEndpoint, messages: Sequence[WebhookMessage]) -> int:
    # One that there is begins its 30 days anew: it must not be forgotten before it is delivered.
    WebhookMessage.objects.bulk_create(
        messages, update_conflicts=True, unique_fields=["id"], update_fields=["created_at"]
    )
    own = WebhookDelivery.objects.filter(
        endpoint_id=endpoint.pk, message_id__in=[one.pk for one in messages]
    )
    known: set[UUID] = set(own.values_list("message_id", flat=True))
    again = redeliver(deliveries=own)
    missed = [one for one in messages if one.pk not in known]
    now = timezone.now()
    made = [
        WebhookDelivery(
            endpoint_id=endpoint.pk,
            message_id=one.pk,
            event_type=one.event_type,
            plugin=one.plugin,
            next_attempt_at=now,
            created_at=now,
        )
        for one in missed
    ]
    WebhookDelivery.objects.bulk_create(made, ignore_conflicts=True)
    return again + len(made)
