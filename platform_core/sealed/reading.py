"""Read a sealed file back: nothing of it is believed before every byte is proved."""

from __future__ import annotations

import json
import os
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any, Self

from platform_core.sealed.format import (
    CHUNK,
    MANIFEST,
    SEAL,
    SEAL_BYTES,
    Measuring,
    Member,
    Moved,
    hash_before_seal,
)

MOST_MANIFEST_BYTES = 64 << 20
"""Far more than a manifest has, which is read whole; the seal says that nobody damaged the file, not who made it."""
_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, LookupError, ValueError, RuntimeError)
"""What a damaged or forged container, its compression or encryption, or its end may raise."""
_NO_MANIFEST = (TypeError, AttributeError)
"""What a manifest of another shape may raise."""


class SealBroken(Exception):
    """The file is not what was written, or no sealed file; the text says what is wrong, as part of a sentence."""


class SealedFile:
    """A sealed file, held open, after every byte of it was proved; used as a context, which closes it."""

    def __init__(self, path: Path, *, moved: Moved | None = None) -> None:
        """Open and prove; raises OSError when it cannot be opened, SealBroken when it is not what was written."""
        self.path = path
        self._file = path.open("rb")
        try:
            self.seal = self._proved_seal(moved)
            self._zip = zipfile.ZipFile(self._file)
            self.manifest = self._read_manifest()
            found = self.manifest.pop("members")
            self.members = {name: Member(**one) for name, one in found.items()}
            self._refuse_names()
        except (*_DAMAGED, *_NO_MANIFEST) as error:
            self.close()
            raise SealBroken(str(error) or type(error).__name__) from error
        except BaseException:  # Ctrl-C too: the file does not stay open
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def chunks(self, name: str) -> Iterator[bytes]:
        """Yield a member's content; raises SealBroken at its end when it is not what the manifest says."""
        wanted, measuring = self.members[name], Measuring()
        try:
            with self._zip.open(name) as stream:
                while chunk := stream.read(CHUNK):
                    measuring.write(chunk)
                    yield chunk
        except _DAMAGED as error:
            raise SealBroken(f"{name}: {error}") from error
        if measuring.member(counted=wanted.rows is not None, mode=wanted.mode) != wanted:
            raise SealBroken(f"{name} is not what the manifest says")

    def names_below(self, folder: str) -> list[str]:
        """Return the members below ``folder``, which ends with a slash."""
        return sorted(name for name in self.members if name.startswith(folder))

    def extract(self, name: str, target: Path, *, mode: int) -> None:
        """Write a member to the new file ``target`` and on disk, with ``mode``; folders are made at 0700."""
        for parent in reversed(target.parents):
            if not parent.exists():
                parent.mkdir(mode=0o700)
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            for chunk in self.chunks(name):
                file.write(chunk)
            file.flush()
            os.fchmod(descriptor, mode)
            os.fsync(descriptor)

    def _proved_seal(self, moved: Moved | None) -> str:
        size = os.fstat(self._file.fileno()).st_size
        self._file.seek(max(0, size - SEAL_BYTES))
        seal = self._file.read()
        if size <= SEAL_BYTES or not seal.startswith(SEAL):
            raise SealBroken("it does not end with a seal, so it is another file, or cut off")
        digest = hash_before_seal(self._file, moved)
        if seal.removeprefix(SEAL) != digest.encode("ascii"):
            raise SealBroken("its SHA-256 is not the one that it was sealed with")
        return digest

    def _read_manifest(self) -> dict[str, Any]:
        if self._zip.getinfo(MANIFEST).file_size > MOST_MANIFEST_BYTES:
            raise SealBroken("its manifest is too large")
        found: dict[str, Any] = json.loads(self._zip.read(MANIFEST))
        if not isinstance(found, dict):
            raise SealBroken("its manifest is none")
        return found

    def _refuse_names(self) -> None:
        """Refuse members that the manifest does not know, and names that lead out of a folder."""
        names = self._zip.namelist()
        if sorted(names) != sorted((MANIFEST, *self.members)):
            raise SealBroken("its members are not those of its manifest")
        for name in self.members:
            path = PurePosixPath(name)
            # One spelling only: of "files//etc/x" the part below "files/" would be an absolute path.
            unusual = path.is_absolute() or ".." in path.parts or str(path) != name
            if unusual or "\\" in name or "\0" in name:
                raise SealBroken(f"the name {name} leads out of its folder")
