"""Move an embedded cluster to the installed PostgreSQL version, through a verified backup, beside the old one."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from platform_core.backups.errors import BackupError
from platform_core.backups.lock import backup_lock
from platform_core.backups.making import Progress, Wanted, make_backup_locked
from platform_core.backups.reading import load_backup, open_backup
from platform_core.backups.server import DatabaseServer
from platform_core.durable import read_journal, remove_journal, sync_folder, write_journal
from platform_core.services import MAJOR_VERSION, EmbeddedPostgres

CLUSTER = "postgres"
INCOMING = "postgres.upgrade"
JOURNAL = "upgrade.json"


@dataclass(frozen=True, kw_only=True)
class Upgraded:
    """What an upgrade has done: versions, the backup made before, and where the old cluster is kept."""

    before: int
    after: int
    backup: Path
    kept: Path
    rows: int


def upgrade_cluster(
    data_dir: Path,
    configuration: Path,
    *,
    progress: Progress,
) -> Upgraded:
    """Back up with the old programs, load into a new cluster, compare, and exchange the two folders.

    The caller sees to it that nobody uses the old server. Raises BackupError or EmbeddedPostgresError; until the
    folders are exchanged the old cluster is as it was.
    """
    old_folder, new_folder = data_dir / CLUSTER, data_dir / INCOMING
    with backup_lock(data_dir):
        finish_exchange(data_dir)
        before = EmbeddedPostgres(old_folder).version_on_disk()
        if before is None or before >= MAJOR_VERSION:
            raise BackupError(
                "nothing_to_upgrade",
                f"The cluster is {f'PostgreSQL {before}' if before else 'not made yet'},"
                f" and the installed programs are {MAJOR_VERSION}.",
                "There is nothing to do.",
            )
        old, new = EmbeddedPostgres(old_folder, major=before), EmbeddedPostgres(new_folder)
        new.stop()
        shutil.rmtree(new_folder, ignore_errors=True)  # of an upgrade that was interrupted
        try:
            source = DatabaseServer(old.start().url(), embedded=True, major=before)
            made = make_backup_locked(source, data_dir, configuration, Wanted(), progress=progress)
            target = DatabaseServer(new.start().url(), embedded=True)
            with open_backup(made.path, progress=progress) as archive:
                load_backup(target, archive, target.database, progress=progress)
        finally:
            old.stop()
            new.stop()
        kept = data_dir / f"{CLUSTER}-{before}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
        write_journal(data_dir / JOURNAL, {"kept": kept.name})
        finish_exchange(data_dir)
    return Upgraded(
        before=before,
        after=MAJOR_VERSION,
        backup=made.path,
        kept=kept,
        rows=sum(made.manifest["rows"].values()),
    )


def finish_exchange(data_dir: Path) -> None:
    """Exchange the folders that the journal names; goes on where a killed process stopped."""
    journal = read_journal(data_dir / JOURNAL)
    if journal is None:
        return
    kept = data_dir / journal["kept"]
    present, incoming = data_dir / CLUSTER, data_dir / INCOMING
    if incoming.is_dir():
        if present.is_dir():
            present.rename(kept)
        incoming.rename(present)
    sync_folder(data_dir)
    remove_journal(data_dir / JOURNAL)


def finish_if_interrupted(data_dir: Path) -> None:
    """Finish an exchange that a killed process began; raises BackupError while an upgrade is at work."""
    if (data_dir / JOURNAL).exists():
        with backup_lock(data_dir):
            finish_exchange(data_dir)


def kept_clusters(data_dir: Path) -> list[Path]:
    """Return the folders of old clusters that upgrades have kept."""
    return sorted(data_dir.glob(f"{CLUSTER}-[0-9]*-*Z"))


def drop_kept_clusters(data_dir: Path) -> list[Path]:
    """Remove the old clusters, and return what was removed."""
    with backup_lock(data_dir):
        found = kept_clusters(data_dir)
        for folder in found:
            shutil.rmtree(folder)
    return found
