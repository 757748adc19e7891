"""Who sends to which endpoint: one process to each at a time, in turns, so that none holds up another."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.db.models.functions import Now

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from platform_core.models import WebhookTurn

_RESERVED: Final = 4
"""Of so many senders one is left free by whoever is slow, and of as many one is all that is left to them."""
# Who is slow is placed among the slow ones first, so that none of them takes a place of their owner's that they do not get.
# Rows are locked in the order of their ids: two processes that claim at once wait for each other one way round.
_CLAIM = """
WITH due AS (
    SELECT endpoint.id, endpoint.created_by_id AS owner, coalesce(turn.is_slow, false) AS is_slow, turn.seen_at
    FROM platform_core_webhookendpoint AS endpoint
    LEFT JOIN platform_core_webhookturn AS turn ON turn.endpoint_id = endpoint.id
    WHERE endpoint.enabled AND (endpoint.resting_until IS NULL OR endpoint.resting_until <= clock_timestamp())
        AND (turn.sender IS NULL OR turn.seen_at <= clock_timestamp() - make_interval(secs => %(lapse_s)s))
        AND endpoint.id <> ALL(%(running)s)
        AND EXISTS (
            SELECT FROM platform_core_webhookdelivery AS delivery WHERE delivery.endpoint_id = endpoint.id
            AND delivery.state = 'pending' AND delivery.next_attempt_at <= clock_timestamp()
        )
), busy AS (
    SELECT endpoint.created_by_id AS owner, turn.is_slow FROM platform_core_webhookturn AS turn
    LEFT JOIN platform_core_webhookendpoint AS endpoint ON endpoint.id = turn.endpoint_id
    WHERE turn.endpoint_id = ANY(%(running)s)
), among_slow AS (
    SELECT due.*, row_number() OVER (PARTITION BY is_slow ORDER BY seen_at NULLS FIRST, id) AS place FROM due
), of_owner AS (
    SELECT among_slow.*, row_number() OVER (PARTITION BY owner ORDER BY seen_at NULLS FIRST, id)
        + (SELECT count(*) FROM busy WHERE busy.owner IS NOT DISTINCT FROM among_slow.owner) AS number
    FROM among_slow WHERE NOT is_slow OR place <= %(slow)s - (SELECT count(*) FROM busy WHERE busy.is_slow)
), chosen AS (
    SELECT id FROM of_owner WHERE number <= %(owned)s ORDER BY number, seen_at NULLS FIRST, id LIMIT %(free)s
)
INSERT INTO platform_core_webhookturn AS turn (endpoint_id, sender, seen_at, is_slow)
SELECT id, %(sender)s, clock_timestamp(), false FROM chosen ORDER BY id
ON CONFLICT (endpoint_id) DO UPDATE SET sender = excluded.sender, seen_at = excluded.seen_at
WHERE turn.sender IS NULL OR turn.seen_at <= clock_timestamp() - make_interval(secs => %(lapse_s)s)
RETURNING turn.endpoint_id
"""


@dataclass(frozen=True, slots=True)
class Shares:
    """How many of the senders of a process may be taken at once: by one owner's endpoints, and by slow ones."""

    owned: int
    slow: int

    @classmethod
    def of(cls, senders: int) -> Shares:
        """Return the shares of so many senders: a quarter is for the slow, and a quarter nobody takes alone."""
        reserved = max(senders // _RESERVED, 1)
        return cls(owned=max(senders - reserved, 1), slow=reserved)


def lapse_s() -> float:
    """Return after how many seconds without a sign of life a process has lost its turns."""
    return float(settings.PLATFORM.deployment.core.task_stalled_after)


def claim(sender: UUID, *, senders: int, running: Collection[UUID] = ()) -> list[UUID]:
    """Return endpoints to which something is due and ``sender`` may send from now on: nobody else does meanwhile.

    ``sender`` stands for a process with so many ``senders``; ``running`` are the endpoints that they are busy with.
    The owner to whose endpoints least is being sent comes first, and of an owner's endpoints the one served longest ago.
    """
    shares = Shares.of(senders)
    with connection.cursor() as cursor:
        cursor.execute(
            _CLAIM,
            {
                "sender": sender,
                "running": list(running),
                "free": senders - len(running),
                "owned": shares.owned,
                "slow": shares.slow,
                "lapse_s": lapse_s(),
            },
        )
        return [row[0] for row in cursor.fetchall()]


def give_sign(sender: UUID, running: Collection[UUID]) -> None:
    """Let others see that the turns of a process go on."""
    _turns().filter(sender=sender, endpoint_id__in=running).update(seen_at=Now())


def end_turn(endpoint_id: UUID, sender: UUID, *, is_slow: bool | None) -> None:
    """Let others send to an endpoint, unless they do already; ``is_slow`` is None when nothing was sent."""
    values = {} if is_slow is None else {"is_slow": is_slow}
    own = _turns().filter(endpoint_id=endpoint_id, sender=sender)
    own.update(sender=None, seen_at=Now(), **values)


def _turns() -> QuerySet[WebhookTurn]:
    from platform_core.models import WebhookTurn  # needs loaded models

    return WebhookTurn.objects.all()
