"""Open a backup: a sealed file of a known format, or one BackupError that says what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from platform_core.backups.errors import BackupError
from platform_core.backups.making import DUMP, FORMAT_VERSION, Progress, load_dump
from platform_core.backups.server import DatabaseServer
from platform_core.sealed.format import SEAL_BYTES, Moved
from platform_core.sealed.reading import SealBroken, SealedFile

_SHAPE: dict[str, type] = {
    "rows": dict,
    "plugins": list,
    "migrations": list,
    "postgresql": str,
    "created_at": str,
    "core": str,
    "secrets": bool,
}


@contextmanager
def open_backup(path: Path, *, progress: Progress) -> Iterator[SealedFile]:
    """Yield the backup at ``path`` once every byte of it has been checked; raises BackupError, in the block as well."""
    size = path.stat().st_size if path.is_file() else 0
    done = 0

    def moved(count: int) -> None:
        nonlocal done
        done += count
        progress("Checking the file", (done + SEAL_BYTES) >> 10, size >> 10)

    try:
        with _opened(path, moved) as archive:
            _refuse_format(archive)
            _refuse_shape(archive)
            yield archive
    except SealBroken as error:
        raise BackupError(
            "backup_damaged",
            f"{path.name} is not the file that was written, or it is no backup: {error}.",
            "Nothing was changed. Use another copy of it, or an older backup.",
        ) from error


def load_backup(
    server: DatabaseServer, archive: SealedFile, database: str, *, progress: Progress
) -> None:
    """Load the dump of a backup into an empty database; raises BackupError when that does not hold what was counted."""
    rows = archive.manifest["rows"]
    different = load_dump(server, archive.chunks(DUMP), database, rows, "Loading tables", progress)
    if different:
        raise BackupError(
            "restore_differs",
            f"What was loaded is not what the backup counted: {'; '.join(different[:5])}.",
            "Nothing was exchanged. Check the server's disk and log, and repeat the command.",
        )
    with server.connect(database) as connection:
        connection.execute("ANALYZE")


def _refuse_shape(archive: SealedFile) -> None:
    """Raise SealBroken for a manifest that no backup has: the seal does not say who made the file."""
    if not all(isinstance(archive.manifest.get(key), kind) for key, kind in _SHAPE.items()):
        raise SealBroken("its manifest is not that of a backup")


def _opened(path: Path, moved: Moved) -> SealedFile:
    try:
        return SealedFile(path, moved=moved)
    except OSError as error:
        raise BackupError(
            "no_backup", f"{path} cannot be read: {error.strerror}.", "Correct the path."
        ) from error


def _refuse_format(archive: SealedFile) -> None:
    found = archive.manifest.get("format")
    if found != FORMAT_VERSION:
        raise BackupError(
            "format_unknown",
            f"{archive.path.name} has format {found}; this release reads {FORMAT_VERSION}.",
            "Restore it with the release of the platform that made it.",
        )
