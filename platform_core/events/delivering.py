"""Deliver events: each to each subscriber once, in its own transaction with the inbox row, in order per aggregate."""

from __future__ import annotations

import random
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

import structlog
from django.db import connection, transaction

from platform_core.access import acting_as, system_actor
from platform_core.events.catalogue import (
    OwnedSubscription,
    all_events,
    all_subscriptions,
    deliverable,
)
from platform_core.events.receiving import Received
from platform_core.observability.redaction import carrying, values_in_text

log = structlog.get_logger("platform_core.events")

MOST_ATTEMPTS: Final = 8
LONGEST_PAUSE_S: Final = 300
LOST_LIMIT: Final = 10
"""An event in whose delivery so many processes died is parked: it may be what kills them."""
RESERVED_S: Final = 3
"""For so long an event is left to whoever has begun to deliver it, and has yet to take it."""
LOST: Final = "ProcessLost"
"""What stands in the place of an error's class then."""
_STREAMS: Final = 200
_IN_A_ROW: Final = 100
"""So many events of one aggregate are delivered before others get their turn."""

_HEADS = """
SELECT subscription, aggregate FROM (
    SELECT DISTINCT ON (subscription, aggregate) id, subscription, aggregate, not_before, parked_at
    FROM platform_core_eventdelivery WHERE subscription = ANY(%s) ORDER BY subscription, aggregate, sequence
) AS heads
WHERE parked_at IS NULL AND not_before <= clock_timestamp() ORDER BY id LIMIT %s
"""
# What is the first of its aggregate is known by the snapshot of one statement: an earlier event was committed earlier, so
# whoever sees this one sees that one too, and a row that another process holds is skipped, never passed by.
_NEXT = """
    SELECT d.id FROM platform_core_eventdelivery d
    WHERE d.subscription = %(subscription)s AND d.aggregate = %(aggregate)s
        AND d.parked_at IS NULL AND d.not_before <= clock_timestamp()
        AND NOT EXISTS (
            SELECT FROM platform_core_eventdelivery earlier WHERE earlier.subscription = d.subscription
            AND earlier.aggregate = d.aggregate AND earlier.sequence < d.sequence
        )
    ORDER BY d.sequence LIMIT 1 FOR UPDATE SKIP LOCKED
"""
# Committed before the subscriber is called, without waiting for the disk: it has to outlast this process, not the server.
# Until the event is taken nobody holds its row; that others would count an attempt too which they do not make, its time keeps off.
_BEGIN = f"""
WITH quick AS (SELECT set_config('synchronous_commit', 'off', true)), taken AS ({_NEXT})
UPDATE platform_core_eventdelivery one SET
    lost = CASE WHEN lost < %(most)s THEN lost + 1 ELSE lost END,
    parked_at = CASE WHEN lost >= %(most)s THEN clock_timestamp() END,
    not_before = CASE WHEN lost < %(most)s THEN clock_timestamp() + make_interval(secs => %(reserved_s)s) ELSE not_before END,
    error_id = CASE WHEN lost >= %(most)s THEN %(error_id)s ELSE error_id END,
    error_class = CASE WHEN lost >= %(most)s THEN %(error_class)s ELSE error_class END
FROM taken, quick WHERE one.id = taken.id RETURNING one.id, one.parked_at IS NOT NULL, one.event_id, one.lost
"""  # noqa: S608  # nosec B608  (names of our own)
_TAKE = """
WITH taken AS (
    SELECT id, event_id, subscription, attempts FROM platform_core_eventdelivery
    WHERE id = %(id)s AND parked_at IS NULL FOR UPDATE SKIP LOCKED
), gone AS (
    DELETE FROM platform_core_eventdelivery USING taken WHERE platform_core_eventdelivery.id = taken.id
), received AS (
    INSERT INTO platform_core_eventreceipt (subscription, event_id, received_at)
    SELECT subscription, event_id, clock_timestamp() FROM taken ON CONFLICT DO NOTHING RETURNING event_id
)
SELECT taken.id, taken.attempts, EXISTS (SELECT FROM received), e.id, e.name, e.version, e.payload::text, e.aggregate,
    e.sequence, e.occurred_at, e.actor_kind, e.actor_id, e.request_id
FROM taken JOIN platform_core_event e ON e.id = taken.event_id
"""
_FAILED = """
UPDATE platform_core_eventdelivery SET attempts = attempts + 1, lost = greatest(lost - 1, 0), error_id = %(error_id)s, error_class = %(error_class)s,
    not_before = clock_timestamp() + make_interval(secs => %(pause_s)s),
    parked_at = CASE WHEN attempts + 1 >= %(most)s THEN clock_timestamp() END
WHERE id = %(id)s AND attempts = %(attempts)s RETURNING parked_at IS NOT NULL
"""


class Outcome(Enum):
    """What became of the attempt to deliver the next event of a stream."""

    DELIVERED = "delivered"
    FAILED = "failed"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Taken:
    """A delivery that this transaction has taken out of the queue."""

    id: int
    attempts: int
    is_new: bool
    row: Sequence[Any]


def dispatch_once(owners: Sequence[str] | None = None, *, most: int = 1000) -> int:
    """Deliver what is due to subscriptions of ``owners``, or of all, and return how many deliveries succeeded.

    Any number of threads and processes may call it. An event that fails holds back the later ones of its aggregate for
    its subscriber, and nobody else.
    """
    known = deliverable(owners)
    if not known:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(_HEADS, [known, _STREAMS])
        heads = cursor.fetchall()
    random.shuffle(heads)  # several processes see the same ones
    done = 0
    for subscription, aggregate in heads:
        for _turn in range(_IN_A_ROW):
            if done >= most or deliver_next(subscription, aggregate) is not Outcome.DELIVERED:
                break
            done += 1
    return done


def deliver_next(subscription: str, aggregate: str) -> Outcome:
    """Deliver the next event of ``aggregate`` to a subscription of an enabled plugin, when it is due."""
    owned = all_subscriptions()[subscription]
    begun = begin(owned, aggregate)
    if isinstance(begun, Outcome):
        return begun
    taken: Taken | None = None
    try:
        with transaction.atomic():
            taken = take(begun)
            if taken is None:
                return Outcome.NOTHING
            if taken.is_new:
                hand_over(owned, taken)
    except Exception as error:  # whatever a stranger's subscriber raises; the transaction is undone
        if taken is None:
            raise
        payload = str(taken.row[3])
        with carrying(lambda: values_in_text(payload)):
            put_back(owned, taken, error)
        return Outcome.FAILED
    return Outcome.DELIVERED


def begin(owned: OwnedSubscription, aggregate: str) -> int | Outcome:
    """Count the attempt before the subscriber is called, which may not survive it, and return which delivery it is.

    Others leave it alone for a moment. An event in whose delivery too many processes died is parked instead.
    """
    error_id = uuid.uuid4().hex
    with connection.cursor() as cursor:
        cursor.execute(
            _BEGIN,
            {
                "subscription": owned.name,
                "aggregate": aggregate,
                "most": LOST_LIMIT,
                "error_id": error_id,
                "error_class": LOST,
                "reserved_s": RESERVED_S,
            },
        )
        row = cursor.fetchone()
    if row is None:
        return Outcome.NOTHING
    delivery, is_parked, event_id, lost = row
    if not is_parked:
        return int(delivery)
    log.error(
        "processes died delivering an event, and it is parked",
        plugin=owned.owner,
        subscription=owned.name,
        event_id=str(event_id),
        lost=lost,
        error_id=error_id,
    )
    return Outcome.FAILED


def take(delivery: int) -> Taken | None:
    """Take an event that was begun out of the queue and note its receipt, both to be undone with the transaction."""
    with connection.cursor() as cursor:
        cursor.execute(_TAKE, {"id": delivery})
        row = cursor.fetchone()
    return None if row is None else Taken(row[0], row[1], row[2], row[3:])


def hand_over(owned: OwnedSubscription, taken: Taken) -> None:
    """Call the subscriber with the event, as the system and under the request that caused it."""
    import orjson

    event_id, name, version, payload, aggregate, sequence, at, kind, actor_id, request_id = (
        taken.row
    )
    cls = all_events()[name]
    data = orjson.loads(payload)
    if version != cls.version:
        data = cls.upgrade(data, version)
    received = Received(
        event=cls.model_validate_json(orjson.dumps(data)),
        id=event_id,
        aggregate=aggregate,
        sequence=sequence,
        occurred_at=at,
        actor_kind=kind,
        actor_id=actor_id,
        request_id=request_id,
        attempt=taken.attempts + 1,
    )
    actor = system_actor(f"subscription {owned.name}")
    with acting_as(actor, request_id=request_id or None, reason=f"event {event_id}"):
        owned.subscription.run(received)


def put_back(owned: OwnedSubscription, taken: Taken, error: Exception) -> None:
    """Note a failed attempt: the event comes again after a pause, or is parked after too many."""
    error_id = uuid.uuid4().hex
    with connection.cursor() as cursor:
        cursor.execute(
            _FAILED,
            {
                "id": taken.id,
                "attempts": taken.attempts,
                "most": MOST_ATTEMPTS,
                "pause_s": min(2.0**taken.attempts, LONGEST_PAUSE_S),
                "error_id": error_id,
                "error_class": f"{type(error).__module__}.{type(error).__qualname__}"[:200],
            },
        )
        row = cursor.fetchone()
    log.error(
        "subscriber failed and its event is parked" if row and row[0] else "subscriber failed",
        plugin=owned.owner,
        subscription=owned.name,
        event_id=str(taken.row[0]),
        attempt=taken.attempts + 1,
        error_id=error_id,
        exc_info=error,
    )
