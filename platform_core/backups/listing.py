"""The backups of a deployment, known by their names: when each was made and whether a restore proved it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

FOLDER = "backups"
PERIOD = timedelta(days=1)
"""How often a schedule makes one."""

_STAMP = "%Y%m%dT%H%M%SZ"
_NAME = re.compile(r"backup-(\d{8}T\d{6}Z)(-unverified)?\.zip")


@dataclass(frozen=True, slots=True)
class StoredBackup:
    """One finished backup file; ``made_at`` has second precision, in UTC."""

    path: Path
    made_at: datetime
    verified: bool


def backup_name(moment: datetime, *, verified: bool) -> str:
    """Return the file name of a backup made at ``moment``."""
    stamp = moment.astimezone(UTC).strftime(_STAMP)
    return f"backup-{stamp}{'' if verified else '-unverified'}.zip"


def stored_backups(folder: Path) -> list[StoredBackup]:
    """Return the finished backups directly in ``folder``, newest first."""
    found = []
    for path in folder.glob("backup-*.zip"):
        if name := _NAME.fullmatch(path.name):
            made_at = datetime.strptime(name[1], _STAMP).replace(tzinfo=UTC)
            found.append(StoredBackup(path, made_at, not name[2]))
    return sorted(found, key=lambda one: one.made_at, reverse=True)


def last_verified(folder: Path) -> StoredBackup | None:
    """Return the newest backup that a restore proved."""
    return next((one for one in stored_backups(folder) if one.verified), None)


def overdue(folder: Path, now: datetime) -> str:
    """Return what is wrong with the schedule of ``folder``, empty while a verified backup is younger than two periods."""
    last = last_verified(folder)
    if last is None:
        return "There is no verified backup yet."
    age = now - last.made_at
    if age <= 2 * PERIOD:
        return ""
    hours = int(age.total_seconds() // 3600)
    return f"The last verified backup is {hours} hours old, which is more than two periods."
