"""The file of a backup: a zip of members, a manifest with their SHA-256, and the SHA-256 of the whole at its end."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import IO, Any, Self

from platform_core.backups.errors import BackupError

MANIFEST = "manifest.json"
FORMAT_VERSION = 1
CHUNK = 1 << 20
UNFINISHED = ".unfinished-"
MOST_MANIFEST_BYTES = 64 << 20
"""Far more than a manifest has; the seal says that nobody damaged the file, not who made it."""
_SHAPE: dict[str, type] = {
    "members": dict,
    "rows": dict,
    "plugins": list,
    "migrations": list,
    "postgresql": str,
    "created_at": str,
    "core": str,
    "secrets": bool,
}
_LABEL = b"sha256:"
_SEAL_LENGTH = len(_LABEL) + 64
_UNREADABLE = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    LookupError,
    RuntimeError,
    ValueError,
    TypeError,
)
"""What a file that another hand has put together may raise: container, compression, encryption, manifest."""

Moved = Callable[[int], None]
"""Told how many bytes have been moved since the last call."""


class ArchiveWriter:
    """Write members one after another; each one's size and SHA-256 is remembered for the manifest."""

    def __init__(self, file: IO[bytes]) -> None:
        """Begin an archive in ``file``, which can be read as well."""
        self._zip = zipfile.ZipFile(file, "w", zipfile.ZIP_STORED, allowZip64=True)
        self.members: dict[str, dict[str, Any]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._zip.close()  # while its file is open, also when the backup has failed

    @contextmanager
    def member(self, name: str) -> Iterator[IO[bytes]]:
        """Yield a stream for the content of a new member."""
        with self._zip.open(name, "w", force_zip64=True) as stream:
            hashing = _Hashing(stream)
            yield hashing  # type: ignore[misc]  # only write() is used of it
        self.members[name] = {"size": hashing.size, "sha256": hashing.digest.hexdigest()}

    def copy(self, name: str, path: Path) -> bool:
        """Add the file at ``path`` with its mode; False when it has gone or is a link by now."""
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            if path.exists() and not path.is_symlink():
                raise
            return False
        with os.fdopen(descriptor, "rb") as source, self.member(name) as target:
            mode = os.fstat(descriptor).st_mode & 0o700
            while chunk := source.read(CHUNK):
                target.write(chunk)
        self.members[name]["mode"] = mode
        return True

    def read(self, name: str) -> Iterator[bytes]:
        """Yield the content of a member that was written, as it stands in the file."""
        with self._zip.open(name) as stream:
            while chunk := stream.read(CHUNK):
                yield chunk

    def close(self, manifest: dict[str, Any]) -> None:
        """Add the manifest, which gets the members, and end the archive with room for its seal."""
        text = json.dumps({**manifest, "members": self.members}, indent=1, default=str)
        self._zip.writestr(MANIFEST, text)
        self._zip.comment = _LABEL + b"0" * 64
        self._zip.close()


class _Hashing:
    """Count and hash what is written through it."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream, self.size, self.digest = stream, 0, hashlib.sha256()

    def write(self, data: bytes) -> int:
        """Pass ``data`` on."""
        self.digest.update(data)
        self.size += len(data)
        return self._stream.write(data)


@contextmanager
def new_file(path: Path) -> Iterator[IO[bytes]]:
    """Yield a file at mode 0600 that appears at ``path``, sealed and safe on disk, when the block ends well."""
    draft = path.with_name(f"{UNFINISHED}{secrets.token_hex(6)}-{path.name}")
    descriptor = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w+b") as file:
            yield file
            file.flush()
            _seal(file)
            file.flush()
            os.fsync(descriptor)
        if path.exists():
            raise BackupError(
                "file_exists", f"{path} exists already.", "Choose another name with --to."
            )
        draft.rename(path)
        sync_folder(path.parent)
    finally:
        with suppress(FileNotFoundError):  # it has got its name
            draft.unlink()


def sync_folder(folder: Path) -> None:
    """Make the names in ``folder`` survive a loss of power."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_unfinished(folder: Path) -> None:
    """Remove what a killed backup has left; the caller holds the lock of all backups."""
    for draft in folder.glob(f"{UNFINISHED}*"):
        draft.unlink(missing_ok=True)


def _seal(file: IO[bytes]) -> None:
    end = file.seek(0, os.SEEK_END) - 64
    file.seek(0)
    digest = _digest(file, end, None)
    file.seek(end)
    file.write(digest.encode("ascii"))


def _digest(file: IO[bytes], length: int, moved: Moved | None) -> str:
    digest = hashlib.sha256()
    while length > 0 and (chunk := file.read(min(CHUNK, length))):
        digest.update(chunk)
        length -= len(chunk)
        if moved:
            moved(len(chunk))
    return digest.hexdigest()


class ArchiveReader:
    """A backup that was checked byte by byte before anything in it is believed."""

    def __init__(self, path: Path, *, moved: Moved | None = None) -> None:
        """Open and check; raises BackupError when a byte is not as it was written."""
        self.path = path
        try:
            self._file = path.open("rb")
        except OSError as error:
            raise BackupError(
                "no_backup", f"{path} cannot be read: {error.strerror}.", "Correct the path."
            ) from error
        try:
            self._check_seal(moved)
            self._zip = zipfile.ZipFile(self._file)
            self.manifest = self._read_manifest()
            self._check_members()
        except _UNREADABLE as error:
            self._file.close()
            raise _damaged(path) from error
        except BackupError:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._zip.close()
        self._file.close()

    def read(self, name: str) -> Iterator[bytes]:
        """Yield a member's content; raises BackupError at its end when it is not what the manifest says."""
        digest = hashlib.sha256()
        try:
            with self._zip.open(name) as stream:
                while chunk := stream.read(CHUNK):
                    digest.update(chunk)
                    yield chunk
        except _UNREADABLE as error:
            raise _damaged(self.path) from error
        if digest.hexdigest() != self.manifest["members"][name]["sha256"]:
            raise _damaged(self.path)

    def names_below(self, folder: str) -> list[str]:
        """Return the members below ``folder``, which ends with a slash."""
        return sorted(name for name in self.manifest["members"] if name.startswith(folder))

    def extract(self, name: str, target: Path) -> None:
        """Write a member to the new file ``target`` with its mode, for its owner only; folders are made at 0700."""
        for parent in reversed(target.parents):
            if not parent.exists():
                parent.mkdir(mode=0o700)
        mode = int(self.manifest["members"][name].get("mode", 0o600)) & 0o700 | 0o600
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(descriptor, "wb") as file:
            for chunk in self.read(name):
                file.write(chunk)
            file.flush()
            os.fsync(descriptor)

    def _check_seal(self, moved: Moved | None) -> None:
        size = os.fstat(self._file.fileno()).st_size
        self._file.seek(max(0, size - _SEAL_LENGTH))
        seal = self._file.read()
        if not seal.startswith(_LABEL):
            raise _damaged(self.path)
        self._file.seek(0)
        found = _digest(self._file, size - 64, moved)
        if seal.removeprefix(_LABEL) != found.encode("ascii"):
            raise _damaged(self.path)

    def _read_manifest(self) -> dict[str, Any]:
        if self._zip.getinfo(MANIFEST).file_size > MOST_MANIFEST_BYTES:
            raise _damaged(self.path)
        found = json.loads(self._zip.read(MANIFEST))
        if not isinstance(found, dict):
            raise _damaged(self.path)
        return found

    def _check_members(self) -> None:
        """Refuse another format, and names that would lead out of the folder they are unpacked to."""
        if self.manifest.get("format") != FORMAT_VERSION:
            raise BackupError(
                "format_unknown",
                f"{self.path.name} has format {self.manifest.get('format')}; this release reads {FORMAT_VERSION}.",
                "Restore it with the release of the platform that made it.",
            )
        if not all(isinstance(self.manifest.get(key), kind) for key, kind in _SHAPE.items()):
            raise _damaged(self.path)
        for name in self.manifest["members"]:
            path = PurePosixPath(name)
            # One spelling only: of "files//etc/x" the part below "files/" would be an absolute path.
            if path.is_absolute() or ".." in path.parts or str(path) != name:
                raise _damaged(self.path)
            if "\\" in name or "\0" in name:
                raise _damaged(self.path)
        if not set(self.manifest["members"]) <= set(self._zip.namelist()):
            raise _damaged(self.path)


def _damaged(path: Path) -> BackupError:
    return BackupError(
        "backup_damaged",
        f"{path.name} is not the file that was written: its checksum is another, or it is no backup.",
        "Nothing was changed. Use another copy of it, or an older backup.",
    )
