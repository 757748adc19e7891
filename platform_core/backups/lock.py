"""Let one process at a time back up, restore or upgrade a deployment."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from platform_core.backups.errors import BackupError


@contextmanager
def backup_lock(data_dir: Path) -> Iterator[None]:
    """Hold the lock for the block; raises BackupError when another process has it."""
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(data_dir / "backup.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise BackupError(
            "backup_running",
            "Another process backs up, restores or upgrades this deployment.",
            "Wait until it has finished, then repeat the command.",
        ) from None
    try:
        yield
    finally:
        os.close(descriptor)
