"""What a sealed file is made of: members with their measures, a manifest that lists them, the seal at the end."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import IO, Protocol

MANIFEST = "manifest.json"
SEAL = b"sha256:"
SEAL_BYTES = len(SEAL) + 64
CHUNK = 1 << 20

Moved = Callable[[int], None]
"""Told how many bytes have been moved since the last call."""


class Sink(Protocol):
    """What takes the content of a member."""

    def write(self, data: bytes, /) -> int:
        """Take ``data``, and return its length."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One file inside; ``rows`` is None where it holds none, ``mode`` where it was no file before."""

    bytes: int
    sha256: str
    rows: int | None = None
    mode: int | None = None


class Measuring:
    """Count and hash what is written through it."""

    def __init__(self, stream: Sink | None = None) -> None:
        self._stream, self._size, self._rows, self._digest = stream, 0, 0, hashlib.sha256()

    def write(self, data: bytes, /) -> int:
        """Pass ``data`` on."""
        self._digest.update(data)
        self._size += len(data)
        self._rows += data.count(b"\n")
        return self._stream.write(data) if self._stream else len(data)

    def member(self, *, counted: bool, mode: int | None = None) -> Member:
        """Return what was measured."""
        rows = self._rows if counted else None
        return Member(bytes=self._size, sha256=self._digest.hexdigest(), rows=rows, mode=mode)


def measured(chunks: Iterable[bytes], *, counted: bool) -> Member:
    """Return size, SHA-256 and number of rows of ``chunks``."""
    measuring = Measuring()
    for chunk in chunks:
        measuring.write(chunk)
    return measuring.member(counted=counted)


def hash_before_seal(file: IO[bytes], moved: Moved | None = None) -> str:
    """Return the SHA-256 of everything in ``file`` but the seal at its end."""
    digest = hashlib.sha256()
    left = file.seek(0, os.SEEK_END) - SEAL_BYTES
    file.seek(0)
    while left > 0 and (chunk := file.read(min(CHUNK, left))):
        digest.update(chunk)
        left -= len(chunk)
        if moved:
            moved(len(chunk))
    return digest.hexdigest()
