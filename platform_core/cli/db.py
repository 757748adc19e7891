"""``platformctl db``: the deployment's database server, its shell and its state."""

from __future__ import annotations

import os
import signal
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from platform_core.backups import listing
from platform_core.backups.errors import BackupError
from platform_core.backups.server import DatabaseServer
from platform_core.backups.tables import database_size, server_version
from platform_core.cli import boot, db_backups
from platform_core.cli.audited_backups import tell
from platform_core.cli.output import PROBLEMS, AsJson, console, print_json, refuse, step, table
from platform_core.conf.deployment import Deployment
from platform_core.services import EmbeddedPostgresError, Lease

app = typer.Typer(
    no_args_is_help=True, help="The database: server, shell, backup, restore, upgrade."
)
app.command("backup")(db_backups.backup)
app.command("restore")(db_backups.restore)
app.command("upgrade")(db_backups.upgrade)


@app.command()
def start(as_json: AsJson = False) -> None:
    """Start the embedded server and keep it running until ``db stop``."""
    deployment = embedded_deployment("start", as_json=as_json)
    with boot.database(deployment, as_json=as_json):
        Lease(deployment.data_dir).keep()
    info = _embedded(deployment).running()
    if as_json:
        print_json({"ok": True, "pid": info.pid if info else None})
    else:
        console.print("[green]Running[/] until platformctl db stop.")


@app.command()
def stop(
    force: Annotated[
        bool, typer.Option("--force", help="Stop it although other processes use it.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Stop the embedded server; refuses while ``run`` or another command uses it."""
    deployment = embedded_deployment("stop", as_json=as_json)
    lease = Lease(deployment.data_dir)
    server = _embedded(deployment)
    was_running = server.running() is not None
    with lease.alone() as alone:
        if not alone and not force:
            refuse(
                "platformctl run or another command uses the database.",
                "Stop it first, or stop the database under it with --force.",
                code="database_in_use",
                as_json=as_json,
            )
        lease.release()
        with (
            boot.reporting(as_json=as_json),
            step("Stopping the embedded PostgreSQL …", quiet=as_json),
        ):
            server.stop()
    if as_json:
        print_json({"ok": True, "was_running": was_running})
    else:
        console.print("Stopped." if was_running else "It was not running.")


@app.command()
def status(as_json: AsJson = False) -> None:
    """Tell how the database is, starting nothing."""
    deployment = boot.load_deployment(boot.deployment_folder(None), as_json=as_json)
    with boot.reporting(as_json=as_json):
        facts = database_facts(deployment) | backup_facts(deployment)
    if as_json:
        print_json({"ok": True, **facts})
        return
    shown = table("Database", "", "")
    for name, value in facts.items():
        shown.add_row(name.replace("_", " "), _shown(name, value))
    console.print(shown)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def shell(context: typer.Context) -> None:
    """Open psql on the database; what follows ``--`` is passed to it."""
    deployment = boot.load_deployment(boot.deployment_folder(None))
    with boot.database(deployment) as server:
        with boot.reporting(as_json=False):
            command = server.command("psql")
            tell(server, "database.shell_opened")
        kept = signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for psql
        try:
            done = subprocess.run(  # noqa: S603  (the wheel's psql; the words are the operator's)
                [*command, *context.args],
                env=server.environment(os.environ),
                check=False,
                preexec_fn=_heed_interrupts,
            )
        finally:
            signal.signal(signal.SIGINT, kept)
    if done.returncode:
        raise typer.Exit(PROBLEMS)


def _heed_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def embedded_deployment(command: str, *, as_json: bool) -> Deployment:
    """Return the deployment; leaves with a report when its database is not the embedded one."""
    deployment = boot.load_deployment(boot.deployment_folder(None), as_json=as_json)
    with boot.reporting(as_json=as_json):
        external = boot.external_address()
    if external:
        refuse(
            f"DATABASE_URL names a server of yours, which db {command} does not manage.",
            "Use that server's own tools, or unset DATABASE_URL to use the embedded one.",
            code="not_embedded",
            as_json=as_json,
        )
    return deployment


def database_facts(deployment: Deployment) -> dict[str, Any]:
    """Return what is known of the database without starting it; sizes in bytes, never the password."""
    if url := boot.external_address():
        return {"kind": "DATABASE_URL", **_server_facts(DatabaseServer(url, embedded=False))}
    launcher = _embedded(deployment)
    info = launcher.running()
    facts: dict[str, Any] = {
        "kind": "embedded",
        "running": info is not None,
        "kept_running": Lease(deployment.data_dir).kept,
        "data_version": _version_on_disk(deployment),
        "data_size": _size_of(deployment.data_dir / "postgres" / "data"),
    }
    if info is None:
        return facts
    server = DatabaseServer(info.url(), embedded=True)
    return {**facts, "pid": info.pid, "socket": info.host, **_server_facts(server)}


def _server_facts(server: DatabaseServer) -> dict[str, Any]:
    with server.connect() as connection:
        row = connection.execute(
            "SELECT extract(epoch FROM now() - pg_postmaster_start_time())::bigint,"
            " (SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND pid <> pg_backend_pid()), current_setting('max_connections')::int"
        ).fetchone()
        uptime, connections, limit = row or (0, 0, 0)
        return {
            "running": True,
            "database": server.database,
            "host": connection.info.host,
            "version": server_version(connection),
            "uptime_s": uptime,
            "connections": connections,
            "max_connections": limit,
            "database_size": database_size(connection),
        }


def backup_facts(deployment: Deployment) -> dict[str, Any]:
    """Return the newest backup of the data folder, its age, and whether the schedule is kept."""
    folder = deployment.data_dir / listing.FOLDER
    now = datetime.now(UTC)
    newest = next(iter(listing.stored_backups(folder)), None)
    facts: dict[str, Any] = {"last_backup": None, "backup_at": deployment.core.backup_at}
    if newest:
        facts["last_backup"] = {
            "path": str(newest.path),
            "made_at": newest.made_at.isoformat(),
            "age_s": int((now - newest.made_at).total_seconds()),
            "verified": newest.verified,
            "size": newest.path.stat().st_size,
        }
    if deployment.core.backup_at:
        facts["backup_overdue"] = listing.overdue(folder, now)
    return facts


def _embedded(deployment: Deployment) -> Any:
    from platform_core.conf.database import embedded_postgres

    return embedded_postgres(deployment.data_dir)


def _version_on_disk(deployment: Deployment) -> int | None:
    try:
        found: int | None = _embedded(deployment).version_on_disk()
    except EmbeddedPostgresError as error:
        raise BackupError("no_cluster", str(error), "Follow the message.") from error
    return found


def _size_of(folder: Path) -> int:
    total = 0
    for here, _, names in os.walk(folder):
        for name in names:
            try:
                total += Path(here, name).lstat().st_size
            except FileNotFoundError:  # the server removes files while we look
                continue
    return total


def _shown(name: str, value: Any) -> str:
    if name.endswith("_size"):
        return f"{value / 1e6:.1f} MB"
    if name == "last_backup" and value:
        proof = "verified" if value["verified"] else "[yellow]not verified[/]"
        return f"{escape(value['path'])} – {value['age_s'] // 3600} h old, {proof}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return escape(str(value or "–")) if value != 0 else "0"
