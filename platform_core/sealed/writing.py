"""Write a sealed file: a draft, its seal, and the moment at which it gets its name."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

from platform_core.durable import sync_folder
from platform_core.sealed.format import (
    CHUNK,
    MANIFEST,
    SEAL,
    SEAL_BYTES,
    Measuring,
    Member,
    Sink,
    hash_before_seal,
)

_EPOCH = (1980, 1, 1, 0, 0, 0)


class SealedWriter:
    """Writes members into a draft at mode 0600; ``place()`` lets the finished draft appear at ``target``.

    The draft lies beside and is called ``draft_name``; what a killed process has left there is overwritten. Used as a
    context, which removes the draft. ``compression`` is one of ``zipfile``'s.
    """

    def __init__(self, target: Path, draft_name: str, *, compression: int) -> None:
        self.target = target
        self.draft = draft = target.with_name(draft_name)
        self.members: dict[str, Member] = {}
        draft.unlink(missing_ok=True)
        descriptor = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        self._stream = os.fdopen(descriptor, "w+b")
        self._compression = compression
        self._zip = zipfile.ZipFile(self._stream, "w", compression, compresslevel=6)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            with self._stream:
                self._zip.close()  # while its stream is open, also when something has failed
        finally:
            self.draft.unlink(missing_ok=True)

    @contextmanager
    def member(
        self, name: str, *, counted: bool = False, mode: int | None = None
    ) -> Iterator[Sink]:
        """Yield a stream for the content of a new member; a ``counted`` one holds a row a line."""
        info = zipfile.ZipInfo(name, _EPOCH)
        info.compress_type = self._compression
        info.external_attr = 0o600 << 16
        with self._zip.open(info, "w", force_zip64=True) as stream:
            measuring = Measuring(stream)
            yield measuring
        self.members[name] = measuring.member(counted=counted, mode=mode)

    def add(self, name: str, chunks: Iterable[bytes], *, counted: bool = False) -> Member:
        """Write one member and return its measures."""
        with self.member(name, counted=counted) as sink:
            for chunk in chunks:
                sink.write(chunk)
        return self.members[name]

    def copy(self, name: str, path: Path) -> bool:
        """Add the file at ``path`` with its mode; False when it has gone or is a link by now."""
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            if path.exists() and not path.is_symlink():
                raise
            return False
        mode = os.fstat(descriptor).st_mode & 0o777
        with os.fdopen(descriptor, "rb") as source, self.member(name, mode=mode) as target:
            while chunk := source.read(CHUNK):
                target.write(chunk)
        return True

    def read(self, name: str) -> Iterator[bytes]:
        """Yield the content of a member that was written, as it stands in the draft."""
        with self._zip.open(name) as stream:
            while chunk := stream.read(CHUNK):
                yield chunk

    def finish(self, manifest: Mapping[str, Any]) -> None:
        """Add the manifest, which gets the members, and the seal; the draft is complete and on disk."""
        members = {name: asdict(one) for name, one in self.members.items()}
        text = json.dumps({**manifest, "members": members}, indent=1, sort_keys=True, default=str)
        with self.member(MANIFEST) as sink:
            sink.write(text.encode())
        self._zip.comment = SEAL.ljust(SEAL_BYTES, b"0")
        self._zip.close()
        self._stream.flush()
        digest = hash_before_seal(self._stream)
        self._stream.seek(-SEAL_BYTES, os.SEEK_END)
        self._stream.write(SEAL + digest.encode("ascii"))
        self._stream.flush()
        os.fsync(self._stream.fileno())

    def place(self) -> None:
        """Let the finished draft appear at ``target``; FileExistsError when something stands there by now."""
        try:
            os.link(self.draft, self.target)
        except FileExistsError:
            raise
        except OSError:  # a file system without hard links, such as that of a memory stick
            if self.target.exists():
                raise FileExistsError(self.target) from None
            self.draft.rename(self.target)
        sync_folder(self.target.parent)
