"""What the audit trail is told of lists of plugins that were changed at the command line."""

from __future__ import annotations

from typing import Any

import psycopg

from platform_core.audit.recording import Event, write_beside
from platform_core.backups.errors import BackupError
from platform_core.cli import boot
from platform_core.cli.output import errors
from platform_core.conf.deployment import Deployment
from platform_core.registry.lists import Lists
from platform_core.registry.problems import PluginErrors


def tell_of_lists(deployment: Deployment, before: Lists, after: Lists) -> None:
    """Record the change where the deployment has a database; one that is away is told of when something next starts."""
    if not boot.external_address() and not (deployment.data_dir / "postgres").is_dir():
        return
    event = Event(
        action="plugins.listed",
        plugin="platform_core",
        target_type="configuration",
        target_id="plugins",
        details={"before": _facts(before), "after": _facts(after)},
    )
    try:
        with boot.lent_database(deployment, quiet=True) as server, server.connect() as connection:
            write_beside(connection, event)
    except (PluginErrors, BackupError, psycopg.Error):
        errors.print("The database is away: the audit trail hears of this at the next start.")


def _facts(lists: Lists) -> dict[str, Any]:
    return {"plugins": list(lists.plugins), "dormant": list(lists.dormant)}
