"""Read an archive back: what the seal proves, and what makes it an archive of a plugin."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

from platform_core.archives.manifest import GRANTS, LEDGER, SETTINGS, Manifest, decoded
from platform_core.registry.problems import PluginErrors, PluginProblem
from platform_core.sealed.reading import SealBroken, SealedFile

Progress = Callable[[str, int, int], None]


class Archive:
    """A proved archive, held open; ``seal`` is the SHA-256 that identifies it. Used as a context, which closes it."""

    def __init__(self, sealed: SealedFile) -> None:
        """Read the manifest; raises KeyError, TypeError or ValueError when it is none of this format."""
        self._sealed = sealed
        self.manifest: Manifest = decoded(sealed.manifest, sealed.members)
        self.seal = sealed.seal

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._sealed.close()

    def chunks(self, name: str) -> Iterator[bytes]:
        """Yield the bytes of a member; raises PluginErrors when they are not the proved ones any more."""
        try:
            yield from self._sealed.chunks(name)
        except SealBroken as error:
            raise _damaged(self._sealed.path, str(error)) from error

    def extract(self, name: str, target: Path) -> None:
        """Write a member to the new file ``target`` with the mode that it had; folders are made at 0700."""
        self._sealed.extract(name, target, mode=self.manifest.members[name].mode or 0o600)

    def document(self, name: str) -> Any:
        """Return a member that holds JSON; None when the archive has none of this name."""
        if name not in self.manifest.members:
            return None
        return json.loads(b"".join(self.chunks(name)))


def open_archive(file: Path, progress: Progress) -> Archive:
    """Read the whole ``file`` and return it proved; the caller closes it.

    Raises PluginErrors that say what is wrong: no archive, another format, damaged, or incomplete.
    """
    if not file.is_file():
        raise _refusal(file, "no_archive", "There is no such file.", "Correct the path.")
    try:
        sealed = SealedFile(file)
    except (SealBroken, OSError) as error:
        raise _damaged(file, str(error)) from error
    try:
        archive = Archive(sealed)
        for done, name in enumerate(sorted(sealed.members), start=1):
            for _ in archive.chunks(name):
                pass
            progress("Verifying the archive", done, len(sealed.members))
        _prove_manifest(archive.manifest)
        _prove_documents(archive)
    except BaseException as error:  # Ctrl-C too: the file does not stay open
        sealed.close()
        if isinstance(error, AttributeError | LookupError | TypeError | ValueError):
            raise _damaged(file, str(error) or type(error).__name__) from error
        raise
    return archive


def _prove_manifest(manifest: Manifest) -> None:
    """Raise ValueError for a manifest that speaks of what the archive of a plugin cannot bring."""
    tables = {one.name for one in manifest.tables}
    if not {one.table for one in manifest.sequences} <= tables:
        raise ValueError("it numbers tables that it does not hold")
    needed = {one.member for one in (*manifest.tables, *manifest.elsewhere)}
    if not needed <= set(manifest.members) or (
        manifest.has_grants and GRANTS not in manifest.members
    ):
        raise ValueError("it lacks members that its manifest speaks of")
    for name in manifest.files:
        mode = manifest.members[name].mode
        if mode is not None and not 0 <= mode <= 0o777:
            raise ValueError(f"{name} has a mode beyond reading, writing and running")


def _prove_documents(archive: Archive) -> None:
    """Raise ValueError unless what is read as JSON later is of the kind that is written."""
    for name in (LEDGER, SETTINGS, GRANTS):
        if not isinstance(archive.document(name) or {}, dict):
            raise ValueError(f"{name} holds something else")
    first_seen = (archive.document(LEDGER) or {}).get("first_seen_at")
    if first_seen is not None:
        datetime.datetime.fromisoformat(first_seen)


def _damaged(file: Path, what: str) -> PluginErrors:
    return _refusal(
        file,
        "archive_damaged",
        f"The archive is damaged, or the file is none: {what}.",
        "Take another copy of it.",
    )


def _refusal(file: Path, code: str, message: str, way_out: str) -> PluginErrors:
    return PluginErrors(
        [PluginProblem(plugin="", code=code, place=str(file), message=message, way_out=way_out)]
    )
