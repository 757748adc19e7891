"""Restore a backup beside what is there, and exchange the two at the very end."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psycopg
from psycopg import sql

from platform_core.backups import files
from platform_core.backups.errors import BackupError
from platform_core.backups.journal import Journal, settle
from platform_core.backups.lock import backup_lock
from platform_core.backups.making import FILES, Progress
from platform_core.backups.reading import load_backup
from platform_core.backups.server import Connection, DatabaseServer
from platform_core.backups.tables import other_clients
from platform_core.durable import sync_folder
from platform_core.sealed.reading import SealedFile

PREVIOUS = r"before_\d{8}t\d{6}z"


@dataclass(frozen=True, kw_only=True)
class Restored:
    """What a restore has put in place, and under which names the previous state is kept."""

    rows: int
    files: int
    previous_database: str
    previous_files: Path


def check_fits(archive: SealedFile, server: DatabaseServer) -> None:
    """Raise BackupError when this server or its programs are older than those that the backup was made with."""
    made_with = int(str(archive.manifest["postgresql"]).partition(".")[0])
    with server.connect() as connection:
        present = connection.info.server_version // 10_000
    if made_with > min(present, server.major):
        raise BackupError(
            "server_older",
            f"The backup was made of PostgreSQL {made_with}; the server here is {present},"
            f" its programs are {server.major}.",
            f"Restore it into PostgreSQL {made_with} or newer.",
        )


def refuse_users(server: DatabaseServer) -> None:
    """Raise BackupError while anybody is connected to the deployment's database."""
    with server.connect_beside() as connection:
        if users := other_clients(connection, server.database):
            raise _in_use(users)


def restore_backup(
    server: DatabaseServer,
    data_dir: Path,
    archive: SealedFile,
    *,
    progress: Progress,
) -> Restored:
    """Put database and files of the backup in place of the present ones, which stay under names with the date.

    Everything is loaded and compared beside first. Raises BackupError, and then the present state is as it was; a
    process that is killed leaves it so too, or, once the databases have been renamed, the next command finishes.
    """
    with backup_lock(data_dir):
        settle(server, data_dir)
        refuse_users(server)
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        secrets = bool(archive.manifest["secrets"])
        members = archive.names_below(FILES)
        _refuse_places(archive, members)
        journal = Journal(
            stamp=stamp,
            incoming=server.beside(f"restoring_{stamp.lower()}"),
            previous=server.beside(f"before_{stamp.lower()}"),
            present=files.entries(data_dir, secrets=secrets),
        )
        journal.write(data_dir)
        try:
            _stage(archive, members, journal.staged(data_dir), progress)
            with server.connect_beside() as connection:
                server.create_database(connection, journal.incoming)
            load_backup(server, archive, journal.incoming, progress=progress)
            _rename(server, journal)
        except BaseException:  # Ctrl-C too; should even this fail, the next command does it
            settle(server, data_dir)
            raise
        journal.exchange_files(data_dir)
        journal.remove(data_dir)
    return Restored(
        rows=sum(archive.manifest["rows"].values()),
        files=len(members),
        previous_database=journal.previous,
        previous_files=journal.kept(data_dir),
    )


def previous_states(server: DatabaseServer, data_dir: Path) -> tuple[list[str], list[Path]]:
    """Return the databases and folders that earlier restores have kept."""
    with server.connect_beside() as connection:
        databases = server.databases_named(connection, PREVIOUS)
    return databases, sorted(data_dir.glob("before-restore-*"))


def drop_previous_states(server: DatabaseServer, data_dir: Path) -> tuple[list[str], list[Path]]:
    """Drop what earlier restores have kept, and return it."""
    with backup_lock(data_dir):
        settle(server, data_dir)
        databases, folders = previous_states(server, data_dir)
        with server.connect_beside() as connection:
            for name in databases:
                server.drop_database(connection, name)
        for folder in folders:
            shutil.rmtree(folder)
    return databases, folders


def _refuse_places(archive: SealedFile, members: list[str]) -> None:
    """Raise BackupError for files that no backup holds: they would take the place of the cluster or of a journal."""
    for name in members:
        place = name.removeprefix(FILES).partition("/")[0]
        if files.LEFT_OUT.fullmatch(place):
            raise BackupError(
                "backup_damaged",
                f"{archive.path.name} holds {name}, which belongs to no backup.",
                "Nothing was changed. Use a backup that platformctl db backup has made.",
            )


def _stage(archive: SealedFile, members: list[str], folder: Path, progress: Progress) -> None:
    folder.mkdir(mode=0o700)
    for index, name in enumerate(members):
        progress("Unpacking files", index, len(members))
        mode = (archive.members[name].mode or 0) & 0o700 | 0o600  # for its owner only
        archive.extract(name, folder / name.removeprefix(FILES), mode=mode)
    progress("Unpacking files", len(members), len(members))
    for path in (folder, *(one for one in folder.rglob("*") if one.is_dir())):
        sync_folder(path)


def _rename(server: DatabaseServer, journal: Journal) -> None:
    """Exchange the names of the two databases in one transaction: the one moment at which the state changes."""
    statement = sql.SQL("ALTER DATABASE {} RENAME TO {}")
    with server.connect_beside() as connection:
        try:
            with connection.transaction():
                for old, new in (
                    (server.database, journal.previous),
                    (journal.incoming, server.database),
                ):
                    connection.execute(statement.format(sql.Identifier(old), sql.Identifier(new)))
        except psycopg.errors.ObjectInUse as error:
            raise _in_use(_users(connection, server)) from error
        except psycopg.errors.InsufficientPrivilege as error:
            raise BackupError(
                "cannot_rename_database",
                f"The database user may not rename {server.database}.",
                "Let an administrator make it the owner of the database and give it CREATEDB.",
            ) from error


def _users(connection: Connection, server: DatabaseServer) -> int:
    return other_clients(connection, server.database)


def _in_use(users: int) -> BackupError:
    return BackupError(
        "database_in_use",
        f"{users} other connections use the database.",
        "Stop platformctl run, gunicorn and every other process that uses it, then repeat the command.",
    )
