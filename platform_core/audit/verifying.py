"""Judge the audit trail: walk the chain once, in constant memory, and name the first record that is not as it was."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal
from uuid import uuid4

import orjson
from django.db import connection, transaction
from django.utils import timezone

from platform_core.audit.checkpoints import Checkpoint, CheckpointBroken, CheckpointFile
from platform_core.audit.digests import (
    BEGINNING,
    COLUMNS,
    event_digest,
    link,
    payload_digest,
)
from platform_core.audit.erasing import ERASE, ERASED_TYPE

Fault = Literal[
    "changed", "missing", "inserted", "reordered", "rewritten", "truncated", "uncovered"
]
Record = Literal["event", "seal", "payload", "checkpoint"]

GRACE = dt.timedelta(minutes=5)
"""How long a seal may wait for its checkpoint, which follows at once unless the process was killed between."""
_CHUNK = 500
_EVENT = ", ".join(f"e.{name}" for name in COLUMNS)
_ERASURE = f"e.action = '{ERASE}' AND e.target_type = '{ERASED_TYPE}' AND e.outcome = 'done'"
_WALK = f"""
SELECT s.seq, s.event_id, s.event_digest, s.sealed_at, s.chain, {_EVENT},
    p.event_id, p.salt, p.content,
    CASE WHEN p.content IS NULL AND p.event_id IS NOT NULL THEN EXISTS (
        SELECT FROM platform_core_auditevent x WHERE x.target_id = s.event_id::text
        AND x.action = '{ERASE}' AND x.target_type = '{ERASED_TYPE}' AND x.outcome = 'done') END,
    CASE WHEN {_ERASURE} THEN EXISTS (
        SELECT FROM platform_core_auditpayload y WHERE y.content IS NULL
        AND y.event_id = CASE WHEN e.target_id ~ '^[0-9]{{1,18}}$' THEN e.target_id::bigint END) END
FROM platform_core_auditseal s
LEFT JOIN platform_core_auditevent e ON e.id = s.event_id
LEFT JOIN platform_core_auditpayload p ON p.event_id = s.event_id
ORDER BY s.seq
"""  # noqa: S608  # nosec B608  (names of our own)
_UNSEALED = """
SELECT count(*), min(e.id) FROM platform_core_auditevent e
WHERE NOT EXISTS (SELECT FROM platform_core_auditseal s WHERE s.event_id = e.id)
"""
_ORPHAN = """
SELECT p.event_id FROM platform_core_auditpayload p
WHERE NOT EXISTS (SELECT FROM platform_core_auditevent e WHERE e.id = p.event_id) ORDER BY 1 LIMIT 1
"""
_PLACE_OF = "SELECT seq, event_id, event_digest, sealed_at FROM platform_core_auditseal WHERE seq > %s ORDER BY seq"


@dataclass(frozen=True, slots=True, kw_only=True)
class Break:
    """The first record that is not as it was: what it is, which one (an id, or a number from 1), and what is wrong."""

    fault: Fault
    record: Record
    number: int
    explanation: str
    seq: int | None = None


@dataclass(slots=True, kw_only=True)
class Verdict:
    """What was judged; ``broken`` is None when everything is as it was sealed."""

    sealed: int = 0
    unsealed: int = 0
    erased: int = 0
    checkpoints: int = 0
    covered_to: int = 0
    broken: Break | None = None


class _Found(Exception):
    def __init__(self, broken: Break) -> None:
        self.broken = broken


def verify(checkpoints: CheckpointFile, *, grace: dt.timedelta = GRACE) -> Verdict:
    """Walk the chain beside its checkpoints and return the verdict with the first break.

    Reads one snapshot of the database and blocks nobody. ``grace`` is how long a seal may be without a checkpoint.
    """
    verdict = Verdict()
    size = checkpoints.size()  # before the snapshot: what is sealed meanwhile is beyond it
    with transaction.atomic():
        try:
            _Walk(checkpoints, size, verdict, grace).run()
        except _Found as found:
            verdict.broken = found.broken
    return verdict


class _Walk:
    """One walk from the first seal to the last, with the checkpoints at their places."""

    def __init__(
        self, file: CheckpointFile, size: int, verdict: Verdict, grace: dt.timedelta
    ) -> None:
        self._file, self._size, self._verdict = file, size, verdict
        self._before = timezone.now() - grace
        self._chain = BEGINNING
        self._uncovered: int | None = None
        self._complete_to = 0
        self._file_break: Break | None = None

    def run(self) -> None:
        """Judge everything; raises ``_Found`` at the first break."""
        waiting = self._checkpoints()
        following = self._compare_all(waiting, next(waiting, None))
        for row in _rows(_WALK):
            self._judge(row)
            following = self._compare_all(waiting, following)
        if following is not None:
            self._fail(
                "truncated",
                "seal",
                self._verdict.sealed + 1,
                f"the chain ends at {self._verdict.sealed}; the checkpoint in line {following.line}, "
                f"of {following.at}, saw {following.seq} seals",
            )
        self._judge_end()
        if self._file_break is not None:
            raise _Found(self._file_break)
        if self._uncovered is not None:
            self._fail(
                "uncovered",
                "seal",
                self._uncovered,
                "no checkpoint covers this seal: the last lines of the file are missing",
            )

    def _checkpoints(self) -> Iterator[Checkpoint]:
        """Yield the checkpoints that count, up to the first broken line, which is kept for the end."""
        try:
            yield from self._file.effective(self._size)
        except CheckpointBroken as error:
            self._file_break = Break(
                fault="changed", record="checkpoint", number=error.line, explanation=str(error)
            )

    def _judge(self, row: Sequence[Any]) -> None:
        seq, event_id, digest, sealed_at, chain = row[:5]
        event, payload = row[5 : 5 + len(COLUMNS)], row[5 + len(COLUMNS) :]
        expected = self._verdict.sealed + 1
        if seq < expected:
            self._fail("inserted", "seal", seq, "the chain begins with seal 1")
        if seq > expected:
            self._fail("missing", "seal", expected, f"it is gone; the next is {seq}")
        digest, chain = bytes(digest), bytes(chain)
        if event[0] is None:
            self._fail("missing", "event", event_id, "it was sealed and is gone", seq)
        own = _digest_of(event)
        if own != digest:
            if own is not None and link(self._chain, seq, event_id, sealed_at, own) == chain:
                self._fail("changed", "seal", seq, "its digest of the event was changed", seq)
            self._fail("changed", "event", event_id, "a column is not what was sealed", seq)
        found = link(self._chain, seq, event_id, sealed_at, digest)
        if found != chain:
            self._fail_at_seal(seq, event_id, chain)
        self._judge_payload(event, payload, seq)
        self._chain = found
        self._verdict.sealed = seq
        if sealed_at < self._before and self._uncovered is None:
            self._uncovered = seq

    def _fail_at_seal(self, seq: int, event_id: int, chain: bytes) -> None:
        """Say whether another seal belongs to this place, or this one was changed."""
        for other, its_event, digest, sealed_at in _rows(_PLACE_OF, [seq]):
            if link(self._chain, seq, its_event, sealed_at, bytes(digest)) == chain:
                told = f"seal {other}, of event {its_event}, belongs to its place"
                self._fail("reordered", "seal", seq, told, seq)
        told = f"the seal of event {event_id} does not follow from the one before"
        self._fail("changed", "seal", seq, told, seq)

    def _judge_payload(self, event: Sequence[Any], payload: Sequence[Any], seq: int) -> None:
        event_id, committed = event[0], event[-1]
        holder, salt, content, is_recorded, is_gone = payload
        if is_gone is False:
            told = f"event {event_id} erased it, yet it is there"
            self._fail("inserted", "payload", int(event[COLUMNS.index("target_id")]), told, seq)
        if committed is None:
            if holder is not None:
                self._fail("inserted", "payload", event_id, "its event has no personal part", seq)
            return
        if holder is None:
            self._fail("missing", "payload", event_id, "it is gone without an erasure", seq)
        if content is None:
            if not is_recorded:
                self._fail("missing", "payload", event_id, "no event tells of its erasure", seq)
            self._verdict.erased += 1
            return
        if not _fits(salt, content, bytes(committed)):
            self._fail("changed", "payload", event_id, "it is not what its event commits to", seq)

    def _compare_all(
        self, waiting: Iterator[Checkpoint], following: Checkpoint | None
    ) -> Checkpoint | None:
        """Compare the checkpoints of the place to which the walk has come, and return the first beyond."""
        while following is not None and following.seq <= self._verdict.sealed:
            self._compare(following)
            following = next(waiting, None)
        return following

    def _compare(self, checkpoint: Checkpoint) -> None:
        if checkpoint.seq < self._verdict.sealed:
            told = f"the checkpoint in line {checkpoint.line} saw fewer seals than one before it"
            self._fail("truncated", "seal", checkpoint.seq + 1, told)
        if checkpoint.chain != self._chain.hex():
            first = self._verdict.covered_to + 1
            self._fail(
                "rewritten",
                "seal",
                first,
                f"the checkpoint in line {checkpoint.line}, of {checkpoint.at}, saw another chain up to "
                f"{checkpoint.seq}; the first difference is at {first} or after",
            )
        self._verdict.checkpoints += 1
        self._verdict.covered_to = checkpoint.seq
        self._uncovered = None
        restored = checkpoint.kind == "restored"
        self._complete_to = max(checkpoint.complete_to, 0 if restored else self._complete_to)

    def _judge_end(self) -> None:
        ((self._verdict.unsealed, lowest),) = _rows(_UNSEALED)
        if lowest is not None and lowest <= self._complete_to:
            told = f"it is not in the chain; a checkpoint says that up to {self._complete_to} every event was"
            self._fail("inserted", "event", lowest, told)
        for (event_id,) in _rows(_ORPHAN):
            self._fail("inserted", "payload", event_id, "there is no event of it")

    def _fail(
        self, fault: Fault, record: Record, number: int, told: str, seq: int | None = None
    ) -> None:
        raise _Found(Break(fault=fault, record=record, number=number, explanation=told, seq=seq))


def _digest_of(event: Sequence[Any]) -> bytes | None:
    try:
        return event_digest(event)
    except (TypeError, ValueError, OverflowError):  # what a forger wrote need not have a spelling
        return None


def _fits(salt: Any, content: Any, committed: bytes) -> bool:
    try:
        return payload_digest(bytes(salt), _parsed(content)) == committed
    except (TypeError, ValueError):
        return False


def _parsed(content: Any) -> Any:
    return orjson.loads(content) if isinstance(content, (str, bytes)) else content


def _rows(question: str, parameters: Sequence[Any] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of a cursor on the server, so that the whole trail is never in memory."""
    with _server_cursor() as cursor:
        cursor.execute(question, list(parameters))
        while rows := cursor.fetchmany(_CHUNK):
            yield from rows


@contextmanager
def _server_cursor() -> Iterator[Any]:
    connection.ensure_connection()
    raw: Any = connection.connection
    with raw.cursor(name=f"audit_{uuid4().hex}") as cursor:
        yield cursor
