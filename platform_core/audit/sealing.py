"""Seal committed events into the chain, in batches, and put a signed checkpoint behind each."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import connection, transaction

from platform_core.audit.checkpoints import (
    Checkpoint,
    CheckpointBroken,
    append_checkpoint,
    own_file,
)
from platform_core.audit.digests import BEGINNING, COLUMNS, event_digest, link
from platform_core.conf.deployment import Deployment

BATCH = 1000
LOCK = 4_706_321_008_250_771_905
"""The advisory lock of whoever seals: the chain has one end, so it has one writer."""
_LOOKS, _PAUSE_S = 2, 0.05
_HEAD = "SELECT seq, chain FROM platform_core_auditseal ORDER BY seq DESC LIMIT 1"
_UNSEALED = f"""
SELECT {", ".join(f"e.{name}" for name in COLUMNS)} FROM platform_core_auditevent e
WHERE e.id > %s AND NOT EXISTS (SELECT FROM platform_core_auditseal s WHERE s.event_id = e.id)
ORDER BY e.id LIMIT {BATCH}
"""  # noqa: S608  # nosec B608  (names of our own)
_SEAL = """
INSERT INTO platform_core_auditseal (seq, event_id, event_digest, sealed_at, chain) VALUES (%s, %s, %s, %s, %s)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """What one run has sealed, where the chain ends now, and the checkpoint that was written, if one was."""

    events: int
    seq: int
    checkpoint: Checkpoint | None


@dataclass(slots=True)
class _Frontier:
    """Up to which id no event can be unsealed any more.

    Ids become visible in another order than they are given. Whoever holds an id up to ``last_id`` had begun a
    transaction before ``horizon``; when none of those runs any more, all such ids are there or never will be.
    """

    complete_to: int = 0
    last_id: int | None = None
    horizon: int | None = None


class Sealer:
    """Seals what has been committed; one instance remembers how far it has looked, and starts from the last checkpoint."""

    def __init__(self, deployment: Deployment | None = None) -> None:
        self._deployment = deployment or settings.PLATFORM.deployment
        self._frontier: _Frontier | None = None

    def seal(self) -> Sealed:
        """Seal every event that is there and unsealed; nothing while another process seals.

        Raises CheckpointBroken, KeyUnusable and OSError when the checkpoint cannot be written; the seals stay.
        """
        frontier = self._begin()
        settled = self._settled(frontier)
        events = 0
        while (batch := _seal_batch(frontier.complete_to)) == BATCH:
            events += batch
        events += max(batch, 0)
        head = head_of_chain()
        if settled is not None and batch >= 0:
            frontier.complete_to = settled
        checkpoint = None
        if head is not None:
            checkpoint = append_checkpoint(
                self._deployment, head_of_chain, complete_to=frontier.complete_to
            )
        return Sealed(events=events, seq=head[0] if head else 0, checkpoint=checkpoint)

    def _begin(self) -> _Frontier:
        if self._frontier is None:
            try:
                last, _ = own_file(self._deployment).last()
            except CheckpointBroken:
                last = None  # sealing goes on; who appends the next line will be told
            head = head_of_chain()
            # A database that was put back to an earlier state may have unsealed events anywhere.
            stands = last is not None and head is not None and last.seq <= head[0]
            self._frontier = _Frontier(last.complete_to if last is not None and stands else 0)
        return self._frontier

    def _settled(self, frontier: _Frontier) -> int | None:
        """Return the id up to which all events can be seen now, when one more is known; look for the next such id."""
        oldest, following = _row(
            "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint,"
            " pg_snapshot_xmax(pg_current_snapshot())::text::bigint"
        )
        settled = None
        if frontier.horizon is not None and oldest >= frontier.horizon:
            settled, frontier.last_id, frontier.horizon = frontier.last_id, None, None
        if frontier.last_id is None:
            (frontier.last_id,) = _row(
                "SELECT coalesce(last_value, 0) FROM platform_core_auditevent_id_seq"
            )
        elif frontier.horizon is None:
            frontier.horizon = following
        return settled


def _seal_batch(beyond: int) -> int:
    """Seal some events with ids ``beyond``; return how many, or -1 while another process seals."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s), statement_timestamp()", [LOCK])
        held, now = _one(cursor)
        if not held:
            return -1
        # A snapshot of its own after the lock: the seals of whoever held it before have to be seen.
        cursor.execute(_HEAD)
        seq, chain = cursor.fetchone() or (0, BEGINNING)
        cursor.execute(_UNSEALED, [beyond])
        seals = list(_seals(cursor.fetchall(), seq, bytes(chain), now))
        if seals:
            cursor.executemany(_SEAL, seals)
    return len(seals)


def _seals(events: list[Any], seq: int, chain: bytes, now: Any) -> Iterator[tuple[Any, ...]]:
    for event in events:
        seq += 1
        digest = event_digest(event)
        chain = link(chain, seq, event[0], now, digest)
        yield seq, event[0], digest, now, chain


def head_of_chain() -> tuple[int, bytes] | None:
    """Return number and value of the last seal, None before the first."""
    with connection.cursor() as cursor:
        cursor.execute(_HEAD)
        row = cursor.fetchone()
    return None if row is None else (row[0], bytes(row[1]))


def _row(question: str) -> tuple[Any, ...]:
    with connection.cursor() as cursor:
        cursor.execute(question)
        return _one(cursor)


def _one(cursor: Any) -> tuple[Any, ...]:
    row: tuple[Any, ...] = cursor.fetchone()
    return row


def seal_all(deployment: Deployment) -> Sealed:
    """Seal what is there, and look some times up to which event nothing can be missing; some tenths of a second.

    The server's other transactions, in whatever database, may take longer; then it is known later.
    """
    return seal_by(Sealer(deployment))


def seal_by(sealer: Sealer) -> Sealed:
    """Do what ``seal_all`` does by a sealer that is kept, and knows at the next call what it has waited for."""
    sealed = sealer.seal()
    for _look in range(_LOOKS):
        time.sleep(_PAUSE_S)
        more = sealer.seal()
        sealed = Sealed(
            events=sealed.events + more.events,
            seq=more.seq,
            checkpoint=more.checkpoint or sealed.checkpoint,
        )
    return sealed
