"""Finish or undo a restore that was interrupted: the renaming of the databases decides which."""

from __future__ import annotations

import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

from platform_core import durable
from platform_core.backups.errors import BackupError
from platform_core.backups.lock import backup_lock
from platform_core.backups.server import Connection, DatabaseServer
from platform_core.durable import sync_folder

FILE = "restore.json"


@dataclass(frozen=True, kw_only=True)
class Journal:
    """What a restore is about to exchange. All names are decided before anything is touched."""

    stamp: str
    incoming: str
    """The new database, until it gets the deployment's name."""
    previous: str
    """The name that the deployment's database gets."""
    present: list[str]
    """What the data folder has to move aside; noted before, as later it cannot be told from what was moved in."""

    def staged(self, data_dir: Path) -> Path:
        """Return the folder of the incoming files."""
        return data_dir / f"restore-{self.stamp}"

    def kept(self, data_dir: Path) -> Path:
        """Return the folder that gets the present files."""
        return data_dir / f"before-restore-{self.stamp}"

    def write(self, data_dir: Path) -> None:
        """Put it on disk before the first change."""
        durable.write_journal(data_dir / FILE, asdict(self))

    def remove(self, data_dir: Path) -> None:
        """Forget it: nothing is left to finish or undo."""
        durable.remove_journal(data_dir / FILE)

    def committed(self, connection: Connection) -> bool:
        """Say whether the databases have been renamed, from when on the restored one is the deployment's."""
        known = "SELECT FROM pg_database WHERE datname = %s"
        return connection.execute(known, [self.previous]).fetchone() is not None

    def exchange_files(self, data_dir: Path) -> None:
        """Move the present files aside and the incoming ones in; goes on where an earlier call was interrupted."""
        staged, kept = self.staged(data_dir), self.kept(data_dir)
        kept.mkdir(mode=0o700, exist_ok=True)
        for name in self.present:
            if os.path.lexists(data_dir / name) and not os.path.lexists(kept / name):
                (data_dir / name).rename(kept / name)
        sync_folder(kept)
        sync_folder(data_dir)
        for new in sorted(staged.iterdir()) if staged.is_dir() else ():
            here = data_dir / new.name
            _remove(here)  # made since by a process that did not wait for the restore
            new.rename(here)
        for folder in (staged, kept, data_dir):
            if folder.is_dir():
                sync_folder(folder)
        shutil.rmtree(staged, ignore_errors=True)


def read_journal(data_dir: Path) -> Journal | None:
    """Return the journal of a restore that has not come to its end."""
    found = durable.read_journal(data_dir / FILE)
    return None if found is None else Journal(**found)


def settle(server: DatabaseServer, data_dir: Path) -> str:
    """Finish or undo an interrupted restore; the caller holds the lock. Returns ``finished``, ``undone`` or nothing."""
    journal = read_journal(data_dir)
    if journal is None:
        return ""
    with server.connect_beside() as connection:
        finished = journal.committed(connection)
        if finished:
            journal.exchange_files(data_dir)
        else:
            server.drop_database(connection, journal.incoming)
            shutil.rmtree(journal.staged(data_dir), ignore_errors=True)
    journal.remove(data_dir)
    return "finished" if finished else "undone"


def settle_if_interrupted(server: DatabaseServer, data_dir: Path) -> str:
    """Do what ``settle`` does, unless the restore is still at work."""
    if read_journal(data_dir) is None:
        return ""
    try:
        with backup_lock(data_dir):
            return settle(server, data_dir)
    except BackupError as error:
        if error.code == "backup_running":
            return ""
        raise


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
