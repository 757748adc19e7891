"""Signed checkpoints of the chain, a line each in a file outside the database: what nobody rewrites without the key."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import subprocess  # nosec B404
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import orjson
import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from platform_core.audit.digests import BEGINNING, canonical
from platform_core.audit.keys import SigningKey, is_signed, key_id, signing_key
from platform_core.conf.deployment import Deployment
from platform_core.durable import sync_folder

log = structlog.get_logger("platform_core.audit")

NAME = "checkpoints.jsonl"
COMMAND_TIMEOUT_S = 30
Kind = Literal["seal", "restored"]
_LONGEST_LINE = 4096


class CheckpointBroken(Exception):
    """A line of the file is not what was signed; ``line`` counts from 1."""

    def __init__(self, line: int, what: str) -> None:
        super().__init__(what)
        self.line = line


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """One line: up to ``seq`` the chain is ``chain``, and no event up to ``complete_to`` was unsealed.

    A ``restored`` one says that the database was put back to that place on purpose, for ``reason``.
    """

    number: int
    kind: Kind
    seq: int
    chain: str
    complete_to: int
    at: str
    previous: str
    key: str
    reason: str = ""
    line: int = 0

    def signed_part(self) -> bytes:
        """Return what the signature is over."""
        names = ("number", "kind", "seq", "chain", "complete_to", "at", "previous", "key", "reason")
        return canonical({name: getattr(self, name) for name in names})


def checkpoint_file(deployment: Deployment) -> Path:
    """Return where the deployment's checkpoints are."""
    return deployment.data_dir / deployment.core.audit_checkpoints / NAME


class CheckpointFile:
    """The file of a deployment, read and appended to."""

    def __init__(self, path: Path, keys: Mapping[str, Ed25519PublicKey]) -> None:
        self.path = path
        self._keys = keys

    def size(self) -> int:
        """Return the present length in bytes; 0 when there is none yet."""
        return self.path.stat().st_size if self.path.exists() else 0

    def lines(self, size: int) -> Iterator[Checkpoint]:
        """Yield the checkpoints in the first ``size`` bytes; raises CheckpointBroken at the first that is none."""
        if size == 0:
            return
        previous, number, done = "", 0, 0
        with self.path.open("rb") as file:
            while done < size:
                text = file.readline(_LONGEST_LINE)
                done += len(text)
                number += 1
                found = self._proved(text, number, previous)
                yield found
                previous = hashlib.sha256(text).hexdigest()

    def effective(self, size: int) -> Iterator[Checkpoint]:
        """Yield the checkpoints that still count: those beyond a later restore's place do not."""
        places = [(one.number, one.seq) for one in self.lines(size) if one.kind == "restored"]
        for one in self.lines(size):
            if all(one.number >= number or one.seq <= seq for number, seq in places):
                yield one

    def last(self) -> tuple[Checkpoint | None, str]:
        """Return the last checkpoint and the SHA-256 of its line; raises CheckpointBroken when it is none."""
        size = self.size()
        if size == 0:
            return None, ""
        with self.path.open("rb") as file:
            file.seek(max(0, size - 2 * _LONGEST_LINE))
            text = file.read().splitlines(keepends=True)[-1]
        found = self._proved(text, None, None)
        return found, hashlib.sha256(text).hexdigest()

    def _proved(self, text: bytes, number: int | None, previous: str | None) -> Checkpoint:
        """Return the line ``number`` as a checkpoint; None skips what only the lines before can tell."""
        line = number or 0
        try:
            values = orjson.loads(text)
            signature = values.pop("signature")
            found = Checkpoint(**values, line=line)
            signed = found.signed_part()
        except (ValueError, TypeError, AttributeError, KeyError) as error:
            raise CheckpointBroken(line, "the line is no checkpoint") from error
        if text != _line(found, signature):
            raise CheckpointBroken(line, "the line is no checkpoint")
        public = self._keys.get(found.key)
        if public is None:
            raise CheckpointBroken(line, f"it is signed with the key {found.key}, which is unknown")
        if not is_signed(signed, signature, public):
            raise CheckpointBroken(line, "the line was changed: its signature does not fit")
        if number is not None and (found.number != number or found.previous != previous):
            raise CheckpointBroken(line, "the line before it was removed, or lines were exchanged")
        return found


def _line(one: Checkpoint, signature: str) -> bytes:
    return canonical({**orjson.loads(one.signed_part()), "signature": signature}) + b"\n"


def append_checkpoint(
    deployment: Deployment,
    head: Callable[[], tuple[int, bytes] | None],
    *,
    complete_to: int,
    kind: Kind = "seal",
    reason: str = "",
) -> Checkpoint | None:
    """Sign where the chain stands, on disk before this returns, and hand it to the deployment's command.

    ``head`` is asked when nobody else writes to the file, so that its lines follow one another as the seals do. None
    when the last checkpoint says as much already. Raises CheckpointBroken when the file's end cannot be continued,
    KeyUnusable and OSError.
    """
    key = signing_key(deployment)
    file = own_file(deployment, key)
    with _one_at_a_time(file.path):
        _cut_torn_end(file.path)
        last, previous = file.last()
        seq, chain = head() or (0, BEGINNING)
        if last is not None and kind == "seal" and _says(last, seq, chain.hex(), complete_to):
            return None
        made = Checkpoint(
            number=1 if last is None else last.number + 1,
            kind=kind,
            seq=seq,
            chain=chain.hex(),
            complete_to=complete_to,
            at=datetime.now(UTC).isoformat(timespec="seconds"),
            previous=previous,
            key=key.id,
            reason=reason,
        )
        text = _line(made, key.sign(made.signed_part()))
        _append(file.path, text)
    _hand_over(deployment.core.audit_checkpoint_command, text)
    return made


def _says(last: Checkpoint, seq: int, chain: str, complete_to: int) -> bool:
    return (last.seq, last.chain) == (seq, chain) and last.complete_to >= complete_to


def own_file(deployment: Deployment, key: SigningKey | None = None) -> CheckpointFile:
    """Return the deployment's file, judged by its own key."""
    public = (key or signing_key(deployment)).private.public_key()
    return CheckpointFile(checkpoint_file(deployment), {key_id(public): public})


@contextmanager
def _one_at_a_time(path: Path) -> Iterator[None]:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (path.parent / f".{path.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _cut_torn_end(path: Path) -> None:
    """Take away what a killed process has begun to write: a line without its end was never a checkpoint."""
    if not path.exists():
        return
    with path.open("r+b") as file:
        start = max(0, file.seek(0, os.SEEK_END) - _LONGEST_LINE)
        file.seek(start)
        end = file.read()
        if end and not end.endswith(b"\n"):
            file.truncate(start + end.rfind(b"\n") + 1)


def _append(path: Path, text: bytes) -> None:
    is_new = not path.exists()
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "ab") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    if is_new:
        sync_folder(path.parent)


def _hand_over(command: Sequence[str], text: bytes) -> None:
    """Give the line to the operator's command, which keeps it elsewhere; its failure is logged, the next line follows."""
    if not command:
        return
    try:
        done = subprocess.run(  # noqa: S603  # nosec B603  (the operator's own command)
            list(command),
            input=text,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=COMMAND_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        log.error("checkpoint was not handed over", error=type(error).__name__)
        return
    if done.returncode:
        log.error("checkpoint was not handed over", exit_code=done.returncode)


def as_dict(one: Checkpoint) -> dict[str, Any]:
    """Return what a command shows of a checkpoint."""
    found: dict[str, Any] = json.loads(one.signed_part())
    return found
