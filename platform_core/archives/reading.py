"""Read an archive back: nothing of it is believed before every byte is proved."""

from __future__ import annotations

import datetime
import hashlib
import json
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from platform_core.archives.manifest import (
    GRANTS,
    LEDGER,
    MANIFEST,
    SETTINGS,
    Manifest,
    Member,
    decoded,
)
from platform_core.archives.writing import CHUNK, SEAL, SEAL_BYTES, hash_before_seal
from platform_core.registry.problems import PluginErrors, PluginProblem

Progress = Callable[[str, int, int], None]

MOST_MANIFEST_BYTES = 64 << 20
"""Far more than a manifest has; it is read whole."""
_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    AttributeError,
    EOFError,
    LookupError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What reading a damaged or forged file may raise: the container, its compression or encryption, its end, the manifest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """A proved archive; ``seal`` is the SHA-256 that identifies it."""

    file: Path
    manifest: Manifest
    seal: str

    def chunks(self, name: str) -> Iterator[bytes]:
        """Yield the bytes of a member."""
        with zipfile.ZipFile(self.file) as found, found.open(name) as stream:
            while chunk := stream.read(CHUNK):
                yield chunk

    def document(self, name: str) -> Any:
        """Return a member that holds JSON; None when the archive has none of this name."""
        if name not in self.manifest.members:
            return None
        return json.loads(b"".join(self.chunks(name)))


def open_archive(file: Path, progress: Progress) -> Archive:
    """Read the whole ``file`` and return it proved.

    Raises PluginErrors that say what is wrong: no archive, another format, damaged, or incomplete.
    """
    if not file.is_file():
        raise _refusal(file, "no_archive", "There is no such file.", "Correct the path.")
    try:
        seal = _proved_seal(file)
        manifest = _read_manifest(file)
        archive = Archive(file=file, manifest=manifest, seal=seal)
        _prove_members(archive, progress)
        _prove_documents(archive)
    except _BROKEN as error:
        raise _damaged(file, str(error) or type(error).__name__) from error
    return archive


def _proved_seal(file: Path) -> str:
    size = file.stat().st_size
    with file.open("rb") as stream:
        stream.seek(max(0, size - SEAL_BYTES))
        seal = stream.read()
    found = seal.removeprefix(SEAL).decode("ascii", "replace")
    if size <= SEAL_BYTES or not seal.startswith(SEAL):
        raise _refusal(
            file,
            "archive_damaged",
            "It does not end with the seal of an archive: it is no archive, or it is cut off or damaged.",
            "Take another copy of it.",
        )
    if hash_before_seal(file) != found:
        raise _damaged(file, "its SHA-256 is not the one that it was sealed with")
    return found


def _read_manifest(file: Path) -> Manifest:
    with zipfile.ZipFile(file) as found:
        if found.getinfo(MANIFEST).file_size > MOST_MANIFEST_BYTES:
            raise ValueError("its manifest is too large")
        manifest = decoded(found.read(MANIFEST))
        names = set(found.namelist()) - {MANIFEST}
        if names != set(manifest.members) or len(found.namelist()) != len(names) + 1:
            raise ValueError("its members are not those of its manifest")
    _check_files(manifest)
    tables = {one.name for one in manifest.tables}
    if not {one.table for one in manifest.sequences} <= tables:
        raise ValueError("it numbers tables that it does not hold")
    needed = {one.member for one in (*manifest.tables, *manifest.elsewhere)}
    needed |= {one.member for one in manifest.files}
    if not names >= needed or (manifest.has_grants and GRANTS not in names):
        raise ValueError("it lacks members that its manifest speaks of")
    return manifest


def _check_files(manifest: Manifest) -> None:
    for one in manifest.files:
        path = PurePosixPath(one.path)
        if path.is_absolute() or ".." in path.parts or str(path) != one.path or "\0" in one.path:
            raise ValueError(f"the file {one.path} leads out of the plugin's folder")
        if not 0 <= one.mode <= 0o777:
            raise ValueError(f"the file {one.path} has a mode beyond reading, writing and running")
    if len({one.path for one in manifest.files}) < len(manifest.files):
        raise ValueError("a file is in it twice")


def _prove_members(archive: Archive, progress: Progress) -> None:
    members = archive.manifest.members
    for done, (name, wanted) in enumerate(sorted(members.items()), start=1):
        if measured(archive.chunks(name), counted=wanted.rows is not None) != wanted:
            raise ValueError(f"{name} is not what the manifest says")
        progress("Verifying the archive", done, len(members))


def _prove_documents(archive: Archive) -> None:
    """Raise ValueError unless what is read as JSON later is of the kind that is written."""
    for name in (LEDGER, SETTINGS, GRANTS):
        if not isinstance(archive.document(name) or {}, dict):
            raise ValueError(f"{name} holds something else")
    first_seen = (archive.document(LEDGER) or {}).get("first_seen_at")
    if first_seen is not None:
        datetime.datetime.fromisoformat(first_seen)


def measured(chunks: Iterator[bytes], *, counted: bool) -> Member:
    """Return size, SHA-256 and number of rows of ``chunks``."""
    digest, size, rows = hashlib.sha256(), 0, 0
    for chunk in chunks:
        digest.update(chunk)
        size += len(chunk)
        rows += chunk.count(b"\n")
    return Member(bytes=size, sha256=digest.hexdigest(), rows=rows if counted else None)


def _damaged(file: Path, what: str) -> PluginErrors:
    return _refusal(
        file, "archive_damaged", f"The archive is damaged: {what}.", "Take another copy of it."
    )


def _refusal(file: Path, code: str, message: str, way_out: str) -> PluginErrors:
    return PluginErrors(
        [PluginProblem(plugin="", code=code, place=str(file), message=message, way_out=way_out)]
    )
