"""``emit``: write an event and who is to get it into the outbox, in the transaction of what has happened."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction
from psycopg.types.json import Jsonb

from platform_core.access import current_actor, current_request_id
from platform_core.events.catalogue import all_events, owner_of_event, subscribers_of
from platform_core.events.declaring import Event
from platform_core.webhooks.offering import offer

_EMIT = """
WITH stream AS (
    INSERT INTO platform_core_eventstream AS known (aggregate, last_sequence) VALUES (%(aggregate)s, 1)
    ON CONFLICT (aggregate) DO UPDATE SET last_sequence = known.last_sequence + 1
    RETURNING last_sequence
), event AS (
    INSERT INTO platform_core_event (id, name, version, plugin, aggregate, sequence, payload, occurred_at, actor_kind,
        actor_id, request_id)
    SELECT %(id)s, %(name)s, %(version)s, %(plugin)s, %(aggregate)s, last_sequence, %(payload)s, clock_timestamp(),
        %(actor_kind)s, %(actor_id)s, %(request_id)s
    FROM stream
    RETURNING id, sequence
)
INSERT INTO platform_core_eventdelivery (event_id, subscription, plugin, aggregate, sequence, attempts, not_before,
    error_id, error_class)
SELECT event.id, wanted.subscription, wanted.plugin, %(aggregate)s, event.sequence, 0, clock_timestamp(), '', ''
FROM event, unnest(%(subscriptions)s::text[], %(plugins)s::text[]) AS wanted (subscription, plugin)
"""


class OutsideTransaction(RuntimeError):
    """An event was emitted outside a transaction: it could be told though what it tells of was never written."""


def emit(event: Event) -> UUID:
    """Tell that something has happened, as part of the caller's transaction, and return the event's id.

    Subscribers get it after the commit, and so do endpoints of webhooks what may leave of it. Until then this transaction holds the place of the event among those of its
    aggregate, so that others about the same thing wait. Raises ``OutsideTransaction``, and LookupError for an event
    that no enabled plugin declares.
    """
    from platform_core.models import uuid7  # needs loaded models

    connection = transaction.get_connection()
    if not connection.in_atomic_block:
        raise OutsideTransaction(
            f"{event.name} is emitted outside a transaction: emit it inside the transaction.atomic() block that "
            "writes what has happened."
        )
    if all_events().get(event.name) is not type(event):
        raise LookupError(
            f"No enabled plugin declares {event.name} as {type(event).__qualname__}: return it from the hook events()."
        )
    subscribers = subscribers_of(event.name)
    actor = current_actor()
    event_id = uuid7()
    with connection.cursor() as cursor:
        cursor.execute(
            _EMIT,
            {
                "id": event_id,
                "name": event.name,
                "version": event.version,
                "plugin": owner_of_event(event.name),
                "aggregate": event.aggregate_key,
                "payload": Jsonb(event.model_dump(mode="json")),
                "actor_kind": actor.kind,
                "actor_id": actor.id,
                "request_id": current_request_id() or "",
                "subscriptions": subscribers.names,
                "plugins": subscribers.owners,
            },
        )
    if event.external_fields:
        offer(event_id, event)
    return event_id
