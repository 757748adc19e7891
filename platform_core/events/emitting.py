"""``emit``: write an event and who is to get it into the outbox, in the transaction of what has happened."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from django.db import transaction
from psycopg.types.json import Jsonb

from platform_core.access import current_actor, current_request_id
from platform_core.events.catalogue import all_events, owner_of_event, subscribers_of
from platform_core.events.declaring import Event
from platform_core.webhooks.offering import offer

_EMIT = """
WITH given AS (
    SELECT * FROM unnest(%(ids)s::uuid[], %(aggregates)s::text[], %(payloads)s::jsonb[]) AS one (id, aggregate, payload)
), stream AS (
    INSERT INTO platform_core_eventstream AS known (aggregate, last_sequence) SELECT aggregate, 1 FROM given ORDER BY aggregate
    ON CONFLICT (aggregate) DO UPDATE SET last_sequence = known.last_sequence + 1
    RETURNING aggregate, last_sequence
), event AS (
    INSERT INTO platform_core_event (id, name, version, plugin, aggregate, sequence, payload, occurred_at, actor_kind,
        actor_id, request_id)
    SELECT id, %(name)s, %(version)s, %(plugin)s, aggregate, last_sequence, payload, clock_timestamp(),
        %(actor_kind)s, %(actor_id)s, %(request_id)s
    FROM given JOIN stream USING (aggregate)
    RETURNING id, aggregate, sequence
)
INSERT INTO platform_core_eventdelivery (event_id, subscription, plugin, aggregate, sequence, attempts, not_before,
    error_id, error_class)
SELECT event.id, wanted.subscription, wanted.plugin, event.aggregate, event.sequence, 0, clock_timestamp(), '', ''
FROM event, unnest(%(subscriptions)s::text[], %(plugins)s::text[]) AS wanted (subscription, plugin)
"""


class OutsideTransaction(RuntimeError):
    """An event was emitted outside a transaction: it could be told though what it tells of was never written."""


def emit(event: Event) -> UUID:
    """Tell that something has happened, as part of the caller's transaction, and return the event's id.

    Subscribers get it after the commit, and so do endpoints of webhooks what may leave of it. Until then this transaction
    holds the place of the event among those of its aggregate, so that others about the same thing wait. Raises
    ``OutsideTransaction``, and LookupError for an event that no enabled plugin declares.
    """
    return emit_all([event])[0]


def emit_all(events: Sequence[Event]) -> list[UUID]:
    """Tell by one statement that the same has happened to many things, and return the events' ids in their order.

    Raises what ``emit`` raises, and ValueError for events of several types or about the same thing.
    """
    from platform_core.models import uuid7  # needs loaded models

    if not events:
        return []
    cls = type(events[0])
    name = cls.name
    connection = transaction.get_connection()
    if not connection.in_atomic_block:
        raise OutsideTransaction(
            f"{name} is emitted outside a transaction: emit it inside the transaction.atomic() block that "
            "writes what has happened."
        )
    aggregates = [one.aggregate_key for one in events]
    if len({*aggregates}) < len(events) or any(type(one) is not cls for one in events):
        raise ValueError(f"{name}: emit events of one type at once, each about another thing.")
    if all_events().get(name) is not cls:
        raise LookupError(
            f"No enabled plugin declares {name} as {cls.__qualname__}: return it from the hook events()."
        )
    subscribers = subscribers_of(name)
    actor = current_actor()
    ids = [uuid7() for _ in events]
    with connection.cursor() as cursor:
        cursor.execute(
            _EMIT,
            {
                "ids": ids,
                "aggregates": aggregates,
                "payloads": [Jsonb(one.model_dump(mode="json")) for one in events],
                "name": name,
                "version": cls.version,
                "plugin": owner_of_event(name),
                "actor_kind": actor.kind,
                "actor_id": actor.id,
                "request_id": current_request_id() or "",
                "subscriptions": subscribers.names,
                "plugins": subscribers.owners,
            },
        )
    if cls.external_fields:
        for event_id, event in zip(ids, events, strict=True):
            offer(event_id, event)
    return ids
