"""What the audit trail is told of backups and restores, and what its checkpoints are told of a restore."""

from __future__ import annotations

from pathlib import Path

from platform_core.audit.checkpoints import CheckpointBroken, append_checkpoint
from platform_core.audit.keys import KeyUnusable
from platform_core.audit.recording import Event, write_beside
from platform_core.backups.errors import BackupError
from platform_core.backups.server import Connection, DatabaseServer
from platform_core.conf.deployment import Deployment

_HEAD = "SELECT seq, chain FROM platform_core_auditseal ORDER BY seq DESC LIMIT 1"


def tell(server: DatabaseServer, action: str, **details: object) -> None:
    """Record what an operator did with the database as a whole."""
    event = Event(action=action, plugin="platform_core", target_type="database", details=details)
    with server.connect() as connection:
        write_beside(connection, event)


def tell_of_restore(server: DatabaseServer, deployment: Deployment, backup: Path) -> None:
    """Record that ``backup`` was put in place, and sign that the chain was put back to where it stands now.

    Raises BackupError when the checkpoint cannot be signed; the restore is done all the same.
    """
    event = Event(
        action="backup.restored",
        plugin="platform_core",
        target_type="database",
        details={"backup": backup.name},
    )
    with server.connect() as connection:
        if write_beside(connection, event):
            _sign(connection, deployment, f"platformctl db restore {backup.name}")


def _sign(connection: Connection, deployment: Deployment, reason: str) -> None:
    row = connection.execute(_HEAD).fetchone()
    try:
        append_checkpoint(
            deployment,
            lambda: None if row is None else (row[0], bytes(row[1])),
            complete_to=0,
            kind="restored",
            reason=reason,
        )
    except (CheckpointBroken, KeyUnusable) as error:
        raise BackupError(
            "checkpoint_not_signed",
            f"The backup is in place. That it was restored could not be signed: {error}.",
            "Repair what it names, then run platformctl audit checkpoint --restored REASON.",
        ) from error
