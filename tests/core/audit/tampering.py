"""A sealed trail, and every way to tamper with it that a database administrator and a thief of files have."""

from __future__ import annotations

import datetime as dt
import random
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.conf import settings
from django.db import connection, transaction

from platform_core.access import Actor, acting_as, system_actor
from platform_core.audit import Event, digests, recording, verifying
from platform_core.audit.checkpoints import CheckpointFile, own_file
from platform_core.audit.erasing import erase_payloads
from platform_core.audit.keys import SigningKey
from platform_core.audit.sealing import Sealer

EVENTS = 60
PATIENCE_S = 600
ORDER = ", ".join(digests.COLUMNS)
TABLES = ("platform_core_auditevent", "platform_core_auditpayload", "platform_core_auditseal")


@dataclass(frozen=True)
class Trail:
    """What was sealed: ids in the order of the seals, the ends of the checkpoints, and what was erased."""

    ids: list[int]
    ends: list[int]
    unused: list[int]
    erased: dict[int, tuple[bytes, Any]]
    file: CheckpointFile

    @property
    def head(self) -> int:
        return len(self.ids)


@dataclass(frozen=True)
class Expected:
    """What the verdict has to name: the kind of record, and its number or the seal at which it stands."""

    record: str
    number: int | None = None
    seq: int | None = None
    faults: tuple[str, ...] = ()

    def fault_of(self, broken: verifying.Break | None) -> str:
        if broken is None:
            return "nothing was found"
        told = (
            f"{broken.fault} {broken.record} {broken.number} at {broken.seq}: {broken.explanation}"
        )
        fits = broken.record == self.record
        fits &= self.number is None or broken.number == self.number
        fits &= self.seq is None or broken.seq == self.seq
        fits &= not self.faults or broken.fault in self.faults
        return "" if fits else f"{told}, where {self} was expected"


@dataclass
class Tally:
    """How often each way was tried, and what was missed."""

    tried: dict[str, int] = field(default_factory=dict)
    missed: list[str] = field(default_factory=list)


def make_trail(dice: random.Random, events: int = EVENTS) -> Trail:
    """Record, erase and seal a trail, with numbers that were drawn and never used."""
    sealer, ends, unused = Sealer(), [], []
    written = 0
    while written < events:
        for _ in range(dice.randint(1, 6)):
            with acting_as(dice.choice([Actor(uuid.uuid4(), "user"), system_actor("nightly")])):
                recording.write_events([_event(dice)])
            written += 1
        if dice.random() < 0.4:
            unused.append(_rolled_back())
        sealer.seal()
        ends.append(_head())
    erased = _erase(dice)
    seal_until_complete(sealer)
    ends.append(_head())
    with connection.cursor() as cursor:
        cursor.execute("SELECT event_id FROM platform_core_auditseal ORDER BY seq")
        ids = [row[0] for row in cursor.fetchall()]
    return Trail(ids, sorted(set(ends)), unused, erased, own_file(settings.PLATFORM.deployment))


def seal_until_complete(sealer: Sealer) -> None:
    """Seal until it is known that nothing is missing, which transactions of other tests on the server put off."""
    ends_at = time.monotonic() + PATIENCE_S
    while sealer.seal() and time.monotonic() < ends_at:
        last, _ = own_file(settings.PLATFORM.deployment).last()
        if last is not None and last.complete_to >= _latest():
            return
        time.sleep(0.05)
    raise AssertionError("A transaction somewhere on the server does not end.")


def _latest() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT max(id) FROM platform_core_auditevent")
        return int(cursor.fetchone()[0])


def _event(dice: random.Random) -> Event:
    return Event(
        action=dice.choice(["create", "update", "identity.signed_in"]),
        plugin="education",
        target_type="education.student",
        target_id=str(uuid.uuid4()),
        outcome=dice.choice(["done", "refused", "failed"]),
        code=dice.choice(["", "not_found"]),
        reason=dice.choice(["", "moved away"]),
        details=dice.choice([{}, {"rows": 3}, {"notes": ["a", "é"]}]),
        personal=dice.choice(
            [{}, {"address": "192.0.2.7"}, {"address": "2001:db8::1", "account": "op"}]
        ),
    )


def _rolled_back() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval('platform_core_auditevent_id_seq')")
        return int(cursor.fetchone()[0])


def _head() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT max(seq) FROM platform_core_auditseal")
        return int(cursor.fetchone()[0])


def _erase(dice: random.Random) -> dict[int, tuple[bytes, Any]]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT event_id, salt, content FROM platform_core_auditpayload ORDER BY 1")
        held = {row[0]: (bytes(row[1]), row[2]) for row in cursor.fetchall()}
    taken = dice.sample(sorted(held), 4)
    with acting_as(system_actor("command line")):
        assert erase_payloads(taken, reason="asked for") == sorted(taken)
    return {one: held[one] for one in taken}


@contextmanager
def undone(path: Path) -> Iterator[Any]:
    """Yield a cursor before which no trigger stands; table and file are as before afterwards."""
    before = path.read_bytes()
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            for table in TABLES:
                cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
            yield cursor
            transaction.set_rollback(True)
    finally:
        path.write_bytes(before)


Tampering = Callable[[Any, Trail, random.Random], Expected]
WAYS: dict[str, Tampering] = {}


def way(function: Tampering) -> Tampering:
    WAYS[function.__name__] = function
    return function


def tamper(trail: Trail, dice: random.Random, rounds: int, ways: str = "") -> Tally:
    """Tamper so often, each time in one of the ways whose names begin so, and compare what is found with what was done."""
    tally = Tally()
    names = [one for one in sorted(WAYS) if one.startswith(ways)]
    for number in range(rounds):
        name = names[number % len(names)]
        with undone(trail.file.path) as cursor:
            expected = WAYS[name](cursor, trail, dice)
            verdict = verifying.verify(trail.file, grace=dt.timedelta(0))
        fault = expected.fault_of(verdict.broken)
        tally.tried[name] = tally.tried.get(name, 0) + 1
        if fault:
            tally.missed.append(f"{name}: {fault}")
    return tally


# Ways


def _any(trail: Trail, dice: random.Random) -> tuple[int, int]:
    """Return a seal's number and its event, none of those that tell of an erasure: they have ways of their own."""
    seq = dice.randint(1, trail.head - len(trail.erased))
    return seq, trail.ids[seq - 1]


def _flipped(data: bytes, dice: random.Random) -> bytes:
    place = dice.randrange(len(data))
    return data[:place] + bytes([data[place] ^ 1 << dice.randrange(8)]) + data[place + 1 :]


TEXTS = (
    "actor_kind",
    "actor_label",
    "plugin",
    "action",
    "target_type",
    "target_id",
    "code",
    "request_id",
    "reason",
)


def _column(name: str) -> Tampering:
    def change(cursor: Any, trail: Trail, dice: random.Random) -> Expected:
        seq, event = _any(trail, dice)
        new: dict[str, str] = {
            "at": f"at + interval '{dice.choice([-1, 1])} microsecond'",
            "actor_id": "CASE WHEN actor_id IS NULL THEN gen_random_uuid() END",
            "outcome": "CASE outcome WHEN 'done' THEN 'refused' ELSE 'done' END",
            "details": dice.choice(["details || '{\"rows\": 4}'", "'[]'", "'{\"a\": 1e400}'"]),
            "payload_digest": "CASE WHEN payload_digest IS NULL THEN sha256('') ELSE sha256(payload_digest) END",
        }
        text = dice.choice([f"overlay({name} placing 'X' from 1 for 1)", f"{name} || ' '"])
        cursor.execute(
            f"UPDATE platform_core_auditevent SET {name} = {new.get(name, text)} WHERE id = %s",
            [event],
        )
        return Expected("event", event, seq, ("changed",))

    change.__name__ = f"change_{name}"
    return change


for _name in (*TEXTS, "at", "actor_id", "outcome", "details", "payload_digest"):
    way(_column(_name))


@way
def flip_a_bit_of_text(cursor: Any, trail: Trail, dice: random.Random) -> Expected:
    seq, event = _any(trail, dice)
    cursor.execute("SELECT action FROM platform_core_auditevent WHERE id = %s", [event])
    text = cursor.fetchone()[0]
    place = dice.randrange(len(text))
    other = text[:place] + chr(ord(text[place]) ^ 1 << dice.randrange(5)) + text[place + 1 :]
    cursor.execute("UPDATE platform_core_auditevent SET action = %s WHERE id = %s", [other, event])
    return Expected("event", event, seq, ("changed",))


@way
def renumber_an_event(cursor: Any, trail: Trail, dice: random.Random) -> Expected:
    seq, event = _any(trail, dice)
    cursor.execute(
        "UPDATE platform_core_auditevent SET id = id + 1000000000 WHERE id = %s", [event]
    )
    return Expected("event", event, seq, ("missing",))


@way
def swap_two_events(cursor: Any, trail: Trail, dice: random.Random) -> Expected:
    first, second = sorted(dice.sample(range(1, trail.head - len(trail.erased) + 1), 2))
    one, other = trail.ids[first - 1], trail.ids[second - 1]
    for old, new in ((one, -1), (other, one), (-1, other)):
        cursor.execute("UPDATE platform_core_auditevent SET id = %s WHERE id = %s", [new, old])
    return Expected("event", one, first, ("changed",))


@way
def delete_an_event(cursor: Any, trail: Trail, dice: random.Random) -> Expected:
    seq, event = _any(trail, dice)
    cursor.execute("DELETE FROM platform_core_auditevent WHERE id = %s", [event])
    return Expected("event", event, seq, ("missing",))


@way
def delete_an_event_and_its_seal(cursor: Any, trail: Trail, dice: random.Random) -> Expected:
    seq, _event = _any(trail, dice)
    cursor.execute("DELETE FROM platform_core_auditevent WHERE id = %s", [trail.ids[seq - 1]])
    cursor.execute("DELETE FROM platform_core_auditseal WHERE seq = %s", [seq])
    return Expected("seal", seq, None, ("missing",))


@way
def delete_an_event_and_close_the_gap(cursor: Any, trail: Trail, dice: random.Random) -> Expected:
    seq, _event = _any(trail, dice)
    cursor.execute("DELETE FROM platform_core_auditevent WHERE id = %s", [trail.ids[seq - 1]])
    cursor.execute("DELETE FROM platform_core_auditseal WHERE seq = %s", [seq])
    cursor.execute("UPDATE platform_core_auditseal SET seq = -seq WHERE seq > %s", [seq])
    cursor.execute("UPDATE platform_core_auditseal SET seq = -seq - 1 WHERE seq < 0")
    return Expected("seal", seq, seq, ("changed",))


@way
def insert_an_event(cursor: Any, trail: Trail, dice: random.Random) -> Expected:
    event = dice.choice(trail.unused)
    _insert_event(cursor, event)
    return Expected("event", event, None, ("inserted",))


def _insert_event(cursor: Any, event: int) -> None:
    cursor.execute(
        "INSERT INTO platform_core_auditevent (id, actor_kind, action, outcome) VALUES (%s, 'system', 'create', 'done')",
        [event],
    )


@way
def insert_an_event_with_a_forged_seal(cursor: Any, trail: Trail, dice: random.Random) -> Expected:
    event = dice.choice(trail.unused)
    _insert_event(cursor, event)
    _forge(cursor, trail.head + 1, [*trail.ids, event])
    return Expected("seal", trail.head + 1, None, ("uncovered",))


def _forge(cursor: Any, start: int, ids: list[int]) -> None:
    """Seal anew from number ``start`` on, as anybody can who reads how it is done."""
    cursor.execute("DELETE FROM platform_core_auditseal WHERE seq >= %s", [start])
    cursor.execute("SELECT chain FROM platform_core_auditseal WHERE seq = %s", [start - 1])
    row = cursor.fetchone()
    chain = bytes(row[0]) if row else digests.BEGINNING
    cursor.execute("SELECT statement_timestamp() - interval '1 hour'")
    now = cursor.fetchone()[0]
    for seq in range(start, len(ids) + 1):
        event = ids[seq - 1]
        cursor.execute(f"SELECT {ORDER} FROM platform_core_auditevent WHERE id = %s", [event])
        digest = digests.event_digest(cursor.fetchone())
        chain = digests.link(chain, seq, event, now, digest)
        cursor.execute(
            "INSERT INTO platform_core_auditseal VALUES (%s, %s, %s, %s, %s)",
            [seq, event, digest, now, chain],
        )


def _first_doubtful(trail: Trail, seq: int) -> int:
    return max((one for one in trail.ends if one < seq), default=0) + 1


@way
def rewrite_the_tail(cursor: Any, trail: Trail, dice: random.Random) -> Expected:
    seq, event = _any(trail, dice)
    cursor.execute("UPDATE platform_core_auditevent SET reason = 'nothing' WHERE id = %s", [event])
    _forge(cursor, seq, trail.ids)
    return Expected("seal", _first_doubtful(trail, seq), None, ("rewritten",))


@way
def rewrite_the_tail_without_an_event(cursor: Any, trail: Trail, dice: random.Random) -> Expected:
    seq, _event = _any(trail, dice)
    ids = [*trail.ids]
    cursor.execute("DELETE FROM platform_core_auditevent WHERE id = %s", [ids.pop(seq - 1)])
    cursor.execute(
        "DELETE FROM platform_core_auditpayload p WHERE NOT EXISTS (SELECT FROM platform_core_auditevent e WHERE e.id = p.event_id)"
    )
    _forge(cursor, seq, ids)
    return Expected("seal", _first_doubtful(trail, seq), None, ("rewritten", "truncated"))


@way
def cut_the_tail_off(cursor: Any, trail: Trail, dice: random.Random) -> Expected:
    seq = dice.randint(1, trail.head)
    cursor.execute("DELETE FROM platform_core_auditseal WHERE seq >= %s", [seq])
    if dice.random() < 0.3:
        return Expected("seal", seq, None, ("truncated",))
    gone = trail.ids[seq - 1 :]
    cursor.execute("DELETE FROM platform_core_auditevent WHERE id = ANY(%s)", [gone])
    cursor.execute("DELETE FROM platform_core_auditpayload WHERE event_id = ANY(%s)", [gone])
    left = [one for one in trail.erased if one not in gone]
    if left:  # what tells of their erasure is gone as well, and they come first
        return Expected("payload", None, None, ("missing",))
    return Expected("seal", seq, None, ("truncated",))


@way
def grow_another_tail(cursor: Any, trail: Trail, dice: random.Random) -> Expected:
    seq = dice.randint(max(1, trail.head - 3), trail.head)
    kept = trail.ids[: seq - 1]
    new = [200000 + one for one in range(trail.head - len(kept) + dice.randint(0, 3))]
    for event in new:
        _insert_event(cursor, event)
    _forge(cursor, seq, [*kept, *new])
    return Expected("seal", _first_doubtful(trail, seq), None, ("rewritten",))


def _seal_column(name: str, value: str) -> Tampering:
    def change(cursor: Any, trail: Trail, dice: random.Random) -> Expected:
        seq = dice.randint(1, trail.head - 1)
        cursor.execute(f"UPDATE platform_core_auditseal SET {name} = {value} WHERE seq = %s", [seq])
        if name == "seq":
            return Expected("seal", seq, None, ("missing",))
        return Expected("event" if name == "event_id" else "seal", None, seq)

    change.__name__ = f"change_seal_{name}"
    return change


for _name, _value in (
    ("seq", "seq + 1000000000"),
    ("event_id", "event_id + 300000"),
    ("event_digest", "sha256(event_digest)"),
    ("sealed_at", "sealed_at + interval '1 microsecond'"),
    ("chain", "sha256(chain)"),
):
    way(_seal_column(_name, _value))


@way
def exchange_two_seals(cursor: Any, trail: Trail, dice: random.Random) -> Expected:
    first, second = sorted(dice.sample(range(1, trail.head + 1), 2))
    for old, new in ((first, -1), (second, first), (-1, second)):
        cursor.execute("UPDATE platform_core_auditseal SET seq = %s WHERE seq = %s", [new, old])
    return Expected("seal", first, first, ("changed", "reordered"))


@way
def exchange_what_two_seals_say(cursor: Any, trail: Trail, dice: random.Random) -> Expected:
    first, second = sorted(dice.sample(range(1, trail.head + 1), 2))
    cursor.execute(
        "ALTER TABLE platform_core_auditseal DROP CONSTRAINT platform_core_auditseal_event_id_key"
    )
    cursor.execute(
        "UPDATE platform_core_auditseal a SET event_id = b.event_id, event_digest = b.event_digest "
        "FROM platform_core_auditseal b WHERE (a.seq, b.seq) IN ((%s, %s), (%s, %s))",
        [first, second, second, first],
    )
    return Expected("seal", first, first, ("changed", "reordered"))


# Personal parts


def _with_payload(cursor: Any, trail: Trail, dice: random.Random) -> int:
    cursor.execute(
        "SELECT event_id FROM platform_core_auditpayload WHERE content IS NOT NULL ORDER BY 1"
    )
    return int(dice.choice(cursor.fetchall())[0])


@way
def change_a_personal_part(cursor: Any, trail: Trail, dice: random.Random) -> Expected:
    event = _with_payload(cursor, trail, dice)
    value = dice.choice(['content || \'{"address": "192.0.2.8"}\'', "'{}'", "'[1]'"])
    cursor.execute(
        f"UPDATE platform_core_auditpayload SET content = {value} WHERE event_id = %s", [event]
    )
    return Expected("payload", event, None, ("changed",))


@way
def change_a_salt(cursor: Any, trail: Trail, dice: random.Random) -> Expected:
    event = _with_payload(cursor, trail, dice)
    cursor.execute("SELECT salt FROM platform_core_auditpayload WHERE event_id = %s", [event])
    other = _flipped(bytes(cursor.fetchone()[0]), dice)
    cursor.execute(
        "UPDATE platform_core_auditpayload SET salt = %s WHERE event_id = %s", [other, event]
    )
    return Expected("payload", event, None, ("changed",))


@way
def delete_a_personal_part(cursor: Any, trail: Trail, dice: random.Random) -> Expected:
    event = _with_payload(cursor, trail, dice)
    cursor.execute("DELETE FROM platform_core_auditpayload WHERE event_id = %s", [event])
    return Expected("payload", event, None, ("missing",))


@way
def erase_a_personal_part_secretly(cursor: Any, trail: Trail, dice: random.Random) -> Expected:
    event = _with_payload(cursor, trail, dice)
    cursor.execute(
        "UPDATE platform_core_auditpayload SET salt = NULL, content = NULL WHERE event_id = %s",
        [event],
    )
    return Expected("payload", event, None, ("missing",))


@way
def bring_a_personal_part_back(cursor: Any, trail: Trail, dice: random.Random) -> Expected:
    event, (salt, content) = dice.choice(sorted(trail.erased.items()))
    cursor.execute(
        "UPDATE platform_core_auditpayload SET salt = %s, content = %s WHERE event_id = %s",
        [salt, content, event],
    )
    return Expected("payload", event, None, ("inserted",))


@way
def deny_an_erasure(cursor: Any, trail: Trail, dice: random.Random) -> Expected:
    place = dice.randrange(len(trail.erased))
    event = trail.ids[trail.head - len(trail.erased) + place]
    cursor.execute(
        dice.choice(
            [
                "DELETE FROM platform_core_auditevent WHERE id = %s",
                "UPDATE platform_core_auditevent SET action = 'view' WHERE id = %s",
                "UPDATE platform_core_auditevent SET outcome = 'refused' WHERE id = %s",
            ]
        ),
        [event],
    )
    return Expected("payload", sorted(trail.erased)[place], None, ("missing",))


@way
def invent_a_personal_part(cursor: Any, trail: Trail, dice: random.Random) -> Expected:
    cursor.execute(
        "SELECT id FROM platform_core_auditevent WHERE payload_digest IS NULL ORDER BY 1"
    )
    event = dice.choice([*(row[0] for row in cursor.fetchall()), *trail.unused])
    cursor.execute(
        """INSERT INTO platform_core_auditpayload VALUES (%s, 'salt', '{"a": 1}')""", [event]
    )
    return Expected("payload", event, None, ("inserted",))


# The file


def _lines(trail: Trail) -> list[bytes]:
    return trail.file.path.read_bytes().splitlines(keepends=True)


@way
def flip_a_bit_of_the_file(cursor: Any, trail: Trail, dice: random.Random) -> Expected:
    lines = _lines(trail)
    number = dice.randrange(len(lines))
    lines[number] = _flipped(lines[number], dice)
    trail.file.path.write_bytes(b"".join(lines))
    return Expected("checkpoint", number + 1, None, ("changed",))


@way
def remove_a_line_of_the_file(cursor: Any, trail: Trail, dice: random.Random) -> Expected:
    lines = _lines(trail)
    number = dice.randrange(len(lines) - 1)
    del lines[number]
    trail.file.path.write_bytes(b"".join(lines))
    return Expected("checkpoint", number + 1, None, ("changed",))


@way
def exchange_two_lines_of_the_file(cursor: Any, trail: Trail, dice: random.Random) -> Expected:
    lines = _lines(trail)
    first, second = sorted(dice.sample(range(len(lines)), 2))
    lines[first], lines[second] = lines[second], lines[first]
    trail.file.path.write_bytes(b"".join(lines))
    return Expected("checkpoint", first + 1, None, ("changed",))


@way
def cut_the_end_of_the_file_off(cursor: Any, trail: Trail, dice: random.Random) -> Expected:
    end = dice.randrange(len(trail.ends) - 1) if dice.random() < 0.9 else -1
    kept = [line for line in _lines(trail) if end >= 0 and _seq(line) <= trail.ends[end]]
    trail.file.path.write_bytes(b"".join(kept))
    return Expected("seal", trail.ends[end] + 1 if end >= 0 else 1, None, ("uncovered",))


def _seq(line: bytes) -> int:
    import orjson

    return int(orjson.loads(line)["seq"])


@way
def cut_a_line_in_two(cursor: Any, trail: Trail, dice: random.Random) -> Expected:
    whole = trail.file.path.read_bytes()
    lines = _lines(trail)
    cut = dice.randint(1, len(lines[-1]) - 1)
    trail.file.path.write_bytes(whole[:-cut])
    return Expected("checkpoint", len(lines), None, ("changed",))


@way
def sign_with_another_key(cursor: Any, trail: Trail, dice: random.Random) -> Expected:
    """Rewrite the tail, and the file to it, with a key of one's own."""
    import hashlib

    from platform_core.audit.checkpoints import Checkpoint, _line

    seq, event = _any(trail, dice)
    cursor.execute("UPDATE platform_core_auditevent SET reason = 'nothing' WHERE id = %s", [event])
    _forge(cursor, seq, trail.ids)
    cursor.execute("SELECT chain FROM platform_core_auditseal WHERE seq = %s", [trail.head])
    chain = bytes(cursor.fetchone()[0]).hex()
    lines = [line for line in _lines(trail) if _seq(line) < seq]
    key = SigningKey(Ed25519PrivateKey.generate())
    claimed = dice.choice([key.id, own_key_id(trail)])
    made = Checkpoint(
        number=len(lines) + 1,
        kind="seal",
        seq=trail.head,
        chain=chain,
        complete_to=0,
        at="2026-01-01T00:00:00+00:00",
        previous=hashlib.sha256(lines[-1]).hexdigest() if lines else "",
        key=claimed,
    )
    trail.file.path.write_bytes(b"".join([*lines, _line(made, key.sign(made.signed_part()))]))
    return Expected("checkpoint", len(lines) + 1, None, ("changed",))


def own_key_id(trail: Trail) -> str:
    return next(iter(trail.file._keys))
