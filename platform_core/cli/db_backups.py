"""``platformctl db backup|restore|upgrade``: keep what the deployment has, and put it back."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from platform_core.backups.making import Wanted, make_backup
from platform_core.backups.reading import open_backup
from platform_core.backups.restoring import (
    Restored,
    check_fits,
    drop_previous_states,
    refuse_users,
    restore_backup,
)
from platform_core.backups.server import DatabaseServer
from platform_core.backups.upgrading import drop_kept_clusters, upgrade_cluster
from platform_core.cli import boot
from platform_core.cli.audited_backups import tell, tell_of_restore
from platform_core.cli.imports import progress_bar
from platform_core.cli.output import AsJson, console, fail, print_json, refuse
from platform_core.conf.deployment import Deployment
from platform_core.registry.problems import PluginProblem
from platform_core.sealed.reading import SealedFile
from platform_core.services import Lease

Confirm = Annotated[
    str | None, typer.Option("--confirm", help="The name of the deployment's folder, typed.")
]


def backup(
    to: Annotated[
        Path | None, typer.Option("--to", help="A new file, or a folder; else the data folder's.")
    ] = None,
    keep: Annotated[
        int | None,
        typer.Option("--keep", min=1, help="Then delete the oldest backups beyond this many."),
    ] = None,
    without_secrets: Annotated[
        bool, typer.Option("--without-secrets", help="Leave keys and passwords out.")
    ] = False,
    no_verify: Annotated[
        bool, typer.Option("--no-verify", help="Do not prove it by a restore.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write database and files into one file, and prove by a restore that it holds them."""
    if keep is not None and no_verify:
        refuse(
            "--keep deletes older backups, which only a verified one may replace.",
            "Leave out --no-verify or --keep.",
            code="keep_needs_verification",
            as_json=as_json,
        )
    deployment = boot.load_deployment(boot.deployment_folder(None), as_json=as_json)
    wanted = Wanted(target=to, secrets=not without_secrets, verify=not no_verify, keep=keep)
    with (
        boot.database(deployment, as_json=as_json) as server,
        boot.reporting(as_json=as_json),
        progress_bar(quiet=as_json) as progress,
    ):
        made = make_backup(server, deployment.data_dir, deployment.file, wanted, progress=progress)
        tell(server, "backup.made", backup=made.path.name, secrets=wanted.secrets)
    facts = {
        "path": made.path,
        "size": made.path.stat().st_size,
        "verified": made.manifest["verified"],
        "secrets": wanted.secrets,
        "skipped": made.skipped,
        "removed": made.removed,
    }
    if as_json:
        print_json({"ok": True, **facts})
        return
    rows = sum(made.manifest["rows"].values())
    proof = "verified by a restore" if wanted.verify else "[yellow]not verified[/]"
    console.print(
        f"[green]Backed up[/] {rows} rows of {len(made.manifest['rows'])} tables, {proof}:"
    )
    console.print(f"  {made.path} ({facts['size'] / 1e6:.1f} MB)", markup=False, highlight=False)
    for name in made.skipped:
        console.print(f"  left out, as it is no regular file: {name}", markup=False)
    for path in made.removed:
        console.print(f"  deleted: {path}", markup=False)


def restore(
    file: Annotated[Path | None, typer.Argument(help="The backup.")] = None,
    confirm: Confirm = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Check the backup and whether it fits; change nothing."),
    ] = False,
    drop_previous: Annotated[
        bool,
        typer.Option("--drop-previous", help="Drop what this and earlier restores have replaced."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Put a backup in place of the present database and files, which are kept under names with the date."""
    if file is None and (dry_run or not drop_previous):
        refuse(
            "No backup was named.",
            "Name the file; without one, --drop-previous drops what earlier restores have replaced.",
            code="no_backup",
            as_json=as_json,
        )
    deployment = boot.load_deployment(boot.deployment_folder(None), as_json=as_json)
    restored: Restored | None = None
    facts: dict[str, Any] = {}
    with (
        boot.database(deployment, as_json=as_json) as server,
        boot.reporting(as_json=as_json),
    ):
        if file is not None:
            with (
                progress_bar(quiet=as_json) as progress,
                open_backup(file, progress=progress) as archive,
            ):
                _refuse_unfit(archive, server, deployment, as_json=as_json)
                facts = _described(archive)
                if not dry_run:
                    refuse_users(server)
                    confirmed(deployment, confirm, as_json=as_json)
                    restored = restore_backup(
                        server, deployment.data_dir, archive, progress=progress
                    )
                    tell_of_restore(server, deployment, file)
        else:
            confirmed(deployment, confirm, as_json=as_json)
        dropped = (
            drop_previous_states(server, deployment.data_dir)
            if drop_previous and not dry_run
            else ([], [])
        )
    if restored:
        facts |= {"rows": restored.rows, "files": restored.files}
        if not drop_previous:
            facts["previous_database"] = restored.previous_database
            facts["previous_files"] = str(restored.previous_files)
    _say(facts, [*dropped[0], *map(str, dropped[1])], dry_run=dry_run, as_json=as_json)


def upgrade(
    confirm: Confirm = None,
    drop_previous: Annotated[
        bool, typer.Option("--drop-previous", help="Only remove the clusters that upgrades kept.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Move the embedded database to the installed PostgreSQL version; the old one is kept beside."""
    from platform_core.cli.db import embedded_deployment

    deployment = embedded_deployment("upgrade", as_json=as_json)
    data_dir = deployment.data_dir
    with Lease(data_dir).alone() as alone, boot.reporting(as_json=as_json):
        if not alone:
            refuse(
                "platformctl run or another command uses the database.",
                "Stop it, then repeat the command.",
                code="database_in_use",
                as_json=as_json,
            )
        if drop_previous:
            confirmed(deployment, confirm, as_json=as_json)
            removed = [str(folder) for folder in drop_kept_clusters(data_dir)]
            _say({}, removed, dry_run=False, as_json=as_json)
            return
        with progress_bar(quiet=as_json) as progress:
            done = upgrade_cluster(data_dir, deployment.file, progress=progress)
    with boot.database(deployment, as_json=as_json) as server, boot.reporting(as_json=as_json):
        tell(server, "database.upgraded", before=done.before, after=done.after)
    facts = {
        "before": done.before,
        "after": done.after,
        "rows": done.rows,
        "backup": str(done.backup),
        "kept": str(done.kept),
    }
    _say(facts, [], dry_run=False, as_json=as_json)


def confirmed(deployment: Deployment, given: str | None, *, as_json: bool) -> None:
    """Ask for the name of the deployment's folder unless it was ``given``; leaves with a report when it is another."""
    name = deployment.folder.name
    if given is None and not as_json and sys.stdin.isatty():
        given = typer.prompt(f"Type the name of the deployment, {name}, to go on")
    if given != name:
        refuse(
            "This replaces or removes data and was not confirmed.",
            f'Confirm it with --confirm "{name}".',
            code="not_confirmed",
            as_json=as_json,
        )


def _refuse_unfit(
    archive: SealedFile, server: DatabaseServer, deployment: Deployment, *, as_json: bool
) -> None:
    """Leave with a report when this code, these plugins or this server cannot take the backup."""
    check_fits(archive, server)
    boot.set_up(deployment, as_json=as_json)
    problems = [*_missing_plugins(archive), *_newer_migrations(archive)]
    from django.db import connections
    from django.db.backends.postgresql.base import DatabaseWrapper

    for connection in connections.all(initialized_only=True):
        connection.close()
        if isinstance(connection, DatabaseWrapper):
            connection.close_pool()  # or else it keeps the database open, which is about to be renamed
    if problems:
        fail(problems, as_json=as_json)


def _missing_plugins(archive: SealedFile) -> list[PluginProblem]:
    from django.conf import settings

    state = settings.PLATFORM
    listed = {plugin.slug for plugin in state.resolution.plugins}
    found = []
    for plugin in archive.manifest["plugins"]:
        slug = plugin["slug"]
        if slug in listed:
            continue
        wheel = f"{plugin['distribution']}=={plugin['version']}"
        installed = slug in state.candidates
        found.append(
            PluginProblem(
                plugin=slug,
                code="plugin_unlisted" if installed else "plugin_missing",
                place=wheel,
                message="The backup holds its tables, and it is "
                + ("in neither list." if installed else "not installed."),
                way_out=("" if installed else f"Install {wheel} or newer, and add ")
                + ("Add " if installed else "")
                + f'"{slug}" to plugins or dormant_plugins in platform.toml.',
            )
        )
    return found


def _newer_migrations(archive: SealedFile) -> list[PluginProblem]:
    from platform_core.registry.ledger import migrations_ahead

    applied = [tuple(name.split(".", 1)) for name in archive.manifest["migrations"]]
    return migrations_ahead((label, name) for label, name in applied)


def _described(archive: SealedFile) -> dict[str, Any]:
    manifest = archive.manifest
    return {
        "created_at": manifest["created_at"],
        "core": manifest["core"],
        "verified": bool(manifest["verified"]),
        "secrets": manifest["secrets"],
        "rows": sum(manifest["rows"].values()),
    }


def _say(facts: dict[str, Any], dropped: list[str], *, dry_run: bool, as_json: bool) -> None:
    if as_json:
        print_json({"ok": True, "dry_run": dry_run, **facts, "dropped": dropped})
        return
    console.print(
        "[green]Sound, and it fits; nothing was changed.[/]" if dry_run else "[green]Done.[/]"
    )
    for name, value in facts.items():
        console.print(f"  {name.replace('_', ' ')}: {value}", markup=False, highlight=False)
    for name in dropped:
        console.print(f"  dropped: {name}", markup=False, highlight=False)
