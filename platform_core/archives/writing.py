"""Write an archive: one ZIP file that appears complete or not at all, and whose every byte is sealed."""

from __future__ import annotations

import hashlib
import os
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from django.db import connection

from platform_core.archives.files import sync_folder
from platform_core.archives.manifest import MANIFEST, Manifest, Member
from platform_core.archives.parts import Part
from platform_core.registry.problems import PluginErrors, PluginProblem

SEAL = b"sha256:"
SEAL_BYTES = len(SEAL) + 64
"""The seal is the comment of the ZIP file, its last bytes: the SHA-256 of everything before."""

CHUNK = 1 << 20
_EPOCH = (1980, 1, 1, 0, 0, 0)


class ArchiveWriter:
    """Writes members beside the wanted place; ``place()`` seals the draft and lets it appear there.

    A draft that a killed process left is overwritten by the next archive of the same plugin. Used as a context; without
    ``place()`` the draft is removed.
    """

    def __init__(self, target: Path, slug: str) -> None:
        self.target = target
        self.draft = target.with_name(f".{slug}.part")
        self.members: dict[str, Member] = {}
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.draft.unlink(missing_ok=True)
        descriptor = os.open(self.draft, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        self._stream = os.fdopen(descriptor, "w+b")
        self._zip = zipfile.ZipFile(self._stream, "w", zipfile.ZIP_DEFLATED, compresslevel=6)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._stream.close()
        self.draft.unlink(missing_ok=True)

    def add(self, name: str, chunks: Iterable[bytes], *, counted: bool = False) -> Member:
        """Write one member; ``counted`` members hold a row a line."""
        digest, size, rows = hashlib.sha256(), 0, 0
        info = zipfile.ZipInfo(name, _EPOCH)
        info.compress_type = zipfile.ZIP_DEFLATED
        info.external_attr = 0o600 << 16
        with self._zip.open(info, "w", force_zip64=True) as stream:
            for chunk in chunks:
                stream.write(chunk)
                digest.update(chunk)
                size += len(chunk)
                rows += chunk.count(b"\n")
        member = Member(bytes=size, sha256=digest.hexdigest(), rows=rows if counted else None)
        self.members[name] = member
        return member

    def finish(self, manifest: Manifest) -> None:
        """Write the manifest and the seal; the draft is complete and on the disk."""
        self.add(MANIFEST, [manifest.encoded()])
        self._zip.comment = SEAL.ljust(SEAL_BYTES, b"0")
        self._zip.close()
        self._stream.flush()
        seal = SEAL + hash_before_seal(self.draft).encode()
        self._stream.seek(-SEAL_BYTES, os.SEEK_END)
        self._stream.write(seal)
        self._stream.flush()
        os.fsync(self._stream.fileno())

    def place(self) -> None:
        """Let the finished draft appear at its place; raises PluginErrors when something stands there by now."""
        try:
            os.link(self.draft, self.target)
        except FileExistsError:
            raise PluginErrors([taken(self.target)]) from None
        sync_folder(self.target.parent)


def taken(target: Path) -> PluginProblem:
    """Return the problem that something stands where the archive is to be written."""
    return PluginProblem(
        plugin="",
        code="archive_exists",
        place=str(target),
        message="There is a file of this name already; an archive is never overwritten.",
        way_out="Give another place with --archive, or move that file away.",
    )


def hash_before_seal(file: Path) -> str:
    """Return the SHA-256 of everything in ``file`` but the seal at its end."""
    digest = hashlib.sha256()
    left = file.stat().st_size - SEAL_BYTES
    with file.open("rb") as stream:
        while left > 0 and (chunk := stream.read(min(CHUNK, left))):
            digest.update(chunk)
            left -= len(chunk)
    return digest.hexdigest()


def rows_of(part: Part) -> Iterator[bytes]:
    """Yield the rows of ``part`` as PostgreSQL's COPY writes them, in chunks that end with a row."""
    with connection.cursor() as cursor:
        copying: Any = cursor.copy(part.copy_out())
        waiting: list[bytes] = []
        size = 0
        with copying as copy:
            for data in copy:
                waiting.append(bytes(data))
                size += len(data)
                if size >= CHUNK:
                    yield b"".join(waiting)
                    waiting, size = [], 0
        if waiting:
            yield b"".join(waiting)


def chunks_of(file: Path) -> Iterator[bytes]:
    """Yield the bytes of ``file``."""
    with file.open("rb") as stream:
        while chunk := stream.read(CHUNK):
            yield chunk
