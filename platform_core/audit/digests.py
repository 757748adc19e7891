"""What is hashed, and how: the one spelling of an event, of its personal part, and of a link of the chain."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

FORMAT = 1
"""The number of this spelling; the first thing that the digest of an event covers."""
COLUMNS = (
    "id",
    "at",
    "actor_id",
    "actor_kind",
    "actor_label",
    "plugin",
    "action",
    "target_type",
    "target_id",
    "outcome",
    "code",
    "request_id",
    "reason",
    "details",
    "payload_digest",
)
"""Every column of an event, in the order in which the digest covers them."""
BEGINNING = bytes(32)
"""What stands before the first seal of a chain."""
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND = dt.timedelta(microseconds=1)


def canonical(value: Any) -> bytes:
    """Return JSON in its one spelling: keys sorted, no blanks; raises TypeError for what JSON does not have."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def payload_digest(salt: bytes, content: Mapping[str, Any]) -> bytes:
    """Return what an event says of its personal part; without the salt nobody can tell what that was."""
    return hashlib.sha256(salt + canonical(content)).digest()


def event_digest(row: Sequence[Any]) -> bytes:
    """Return the SHA-256 of an event, whose columns are those of ``COLUMNS``; ``details`` as text or parsed."""
    values = dict(zip(COLUMNS, row, strict=True))
    details, digest, actor = values["details"], values["payload_digest"], values["actor_id"]
    values["at"] = microseconds(values["at"])
    values["actor_id"] = None if actor is None else str(actor)
    values["details"] = orjson.loads(details) if isinstance(details, (str, bytes)) else details
    values["payload_digest"] = None if digest is None else bytes(digest).hex()
    return hashlib.sha256(canonical([FORMAT, *values.values()])).digest()


def link(before: bytes, seq: int, event_id: int, sealed_at: dt.datetime, digest: bytes) -> bytes:
    """Return the chain's value after one more seal; ``before`` is that of the seal before."""
    numbers = (seq, event_id, microseconds(sealed_at))
    parts = b"".join(one.to_bytes(8, "big", signed=True) for one in numbers)
    return hashlib.sha256(before + parts + digest).digest()


def microseconds(moment: dt.datetime) -> int:
    """Return the microseconds since 1970 that PostgreSQL keeps of ``moment``."""
    return (moment - _EPOCH) // _MICROSECOND
