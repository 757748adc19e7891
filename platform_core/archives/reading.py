"""Read an archive back: nothing of it is believed before every byte is proved."""

from __future__ import annotations

import hashlib
import json
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from platform_core.archives.manifest import MANIFEST, Manifest, Member, decoded
from platform_core.archives.writing import CHUNK, SEAL, SEAL_BYTES, hash_before_seal
from platform_core.registry.problems import PluginErrors, PluginProblem

Progress = Callable[[str, int, int], None]

_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, KeyError, TypeError)
"""What reading a damaged file may raise: the container, its compression, its end, the manifest."""


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
        manifest = decoded(found.read(MANIFEST))
        names = set(found.namelist()) - {MANIFEST}
        if names != set(manifest.members) or len(found.namelist()) != len(names) + 1:
            raise ValueError("its members are not those of its manifest")
    for name in (one.path for one in manifest.files):
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts:
            raise ValueError(f"the file {name} leads out of the plugin's folder")
    return manifest


def _prove_members(archive: Archive, progress: Progress) -> None:
    members = archive.manifest.members
    for done, (name, wanted) in enumerate(sorted(members.items()), start=1):
        if measured(archive.chunks(name), counted=wanted.rows is not None) != wanted:
            raise ValueError(f"{name} is not what the manifest says")
        progress("Verifying the archive", done, len(members))


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
