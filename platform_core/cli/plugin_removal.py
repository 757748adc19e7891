"""``platformctl plugin uninstall`` and ``plugin restore``: take a plugin out for good, and put it back from its archive."""

from __future__ import annotations

import datetime
import json
import os
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from platform_core.cli import boot
from platform_core.cli.deployments import guarded
from platform_core.cli.imports import progress_bar
from platform_core.cli.output import AsJson, console, fail, print_json, refuse
from platform_core.cli.plugin_changes import run_migrate
from platform_core.cli.plugins import Slug, lists_of, refuse_environment
from platform_core.cli.removal_view import show_preview
from platform_core.conf.deployment import Deployment
from platform_core.errors import DomainError
from platform_core.registry.apps_trial import resolve_surviving
from platform_core.registry.discovery import discover
from platform_core.registry.lists import Lists
from platform_core.registry.problems import PluginErrors, PluginProblem
from platform_core.registry.requirements import required_slugs

if TYPE_CHECKING:
    from platform_core.archives.reading import Archive

ARCHIVES = "archives"
"""Where archives go below the data folder when no place is given."""


def uninstall(
    slug: Slug,
    archive: Annotated[
        Path | None, typer.Option("--archive", help="Where to write the archive; a new file.")
    ] = None,
    confirm: Annotated[
        str | None, typer.Option("--confirm", help="The slug once more, for programs.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be removed; nothing is changed.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Remove a plugin with its data for good, after writing a verified archive of everything that it has."""
    deployment, lists = _start_of(as_json=as_json)
    target = (archive or _default_archive(deployment, slug)).absolute()
    if target.exists():
        from platform_core.archives.writing import taken

        fail([taken(target)], as_json=as_json)
    with boot.database(deployment, as_json=as_json):
        found: dict[str, Any] = {}
        try:
            _refuse_removal(slug, lists)
            remaining = lists.without(slug)
            _boot(deployment, remaining, as_json=as_json)
            from platform_core.archives import removal as removing

            removal = removing.Removal(slug=slug, deployment=deployment, lists=lists, target=target)
            found = removing.preview(removal)
            if not as_json:
                show_preview(found)
            if dry_run:
                _done({"removed": False, **found}, "Nothing was changed.", as_json=as_json)
                return
            _require_confirmation(slug, confirm, as_json=as_json)
            with progress_bar(quiet=as_json) as progress:
                seal = removing.uninstall(removal, progress)
            _synchronise()
        except PluginErrors as errors:
            fail(errors.problems, as_json=as_json)
    _done(
        {"removed": True, **found, "seal": seal},
        f"Removed {slug}. Its archive: {target}\n"
        "Restart the running processes. The wheel is still installed; pip uninstall removes it.",
        as_json=as_json,
    )


def restore(
    archive: Annotated[Path, typer.Argument(help="The archive that uninstall wrote.")],
    state: Annotated[
        str | None, typer.Option("--state", help="enabled or dormant; else as it was.")
    ] = None,
    clear_missing: Annotated[
        bool,
        typer.Option(
            "--clear-missing", help="Leave out optional references to rows that are gone."
        ),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Do everything, then roll it back.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Put back a plugin with its rows, history, flags, grants and files; its wheel has to be installed."""
    deployment, lists = _start_of(as_json=as_json)
    if state not in (None, "enabled", "dormant"):
        raise typer.BadParameter("It is enabled or dormant.", param_hint="--state")
    from platform_core.archives.reading import open_archive

    with ExitStack() as stack:
        try:
            with progress_bar(quiet=as_json) as progress:
                found = stack.enter_context(open_archive(archive.absolute(), progress))
            wanted = _lists_with(lists, found, state)
            _refuse_lists(found.manifest.slug, wanted)
        except PluginErrors as errors:
            fail(errors.problems, as_json=as_json)
        stack.enter_context(boot.database(deployment, as_json=as_json))
        answer = _restore(
            deployment, wanted, found, clear_missing=clear_missing, dry_run=dry_run, as_json=as_json
        )
        if not dry_run:
            _complete(as_json=as_json)
    _done(
        answer,
        f"{answer['plugin']}: {answer['rows']} rows in {answer['tables']} tables "
        + ("could be restored; nothing was changed." if dry_run else "restored.")
        + ("" if dry_run else "\nRestart the running processes."),
        as_json=as_json,
    )


def _restore(
    deployment: Deployment,
    wanted: Lists,
    found: Archive,
    *,
    clear_missing: bool,
    dry_run: bool,
    as_json: bool,
) -> dict[str, Any]:
    slug = found.manifest.slug
    # Dormant: models and migrations are needed, while settings and contributions are the next process's business.
    loaded = wanted.without(slug)
    _boot(
        deployment,
        Lists(plugins=loaded.plugins, dormant=(*loaded.dormant, slug)),
        as_json=as_json,
    )
    from platform_core.archives.restoring import finish
    from platform_core.archives.restoring import restore as put_back
    from platform_core.registry.ledger import blocking_problems

    try:
        others = [one for one in blocking_problems() if one.plugin != slug]
        if others:
            raise PluginErrors(others)
        with progress_bar(quiet=as_json) as progress:
            done = put_back(
                found,
                deployment=deployment,
                clear_missing=clear_missing,
                dry_run=dry_run,
                progress=progress,
            )
        if not dry_run:
            finish(found, deployment=deployment, lists=wanted)
    except PluginErrors as errors:
        fail(errors.problems, as_json=as_json)
    except DomainError as error:
        refuse(str(error.message), "No row was written.", code=error.code, as_json=as_json)
    return {
        "plugin": slug,
        "state": wanted.state_of(slug),
        "restored": not dry_run,
        "rows": done.rows,
        "tables": len(found.manifest.tables),
        "cleared": done.cleared,
        "left_out": [{"place": one.place, "count": one.count} for one in done.left_out],
    }


def _complete(*, as_json: bool) -> None:
    """Migrate to the present schema and synchronise, in a process that loads the plugin as it is wanted."""
    answer = run_migrate()
    if not answer["ok"]:
        first = PluginProblem(
            plugin="",
            code="restored_not_migrated",
            place="platformctl migrate",
            message="Everything is restored and the plugin is in its list, but migrating failed.",
            way_out="Repair the cause, then run platformctl migrate.",
        )
        fail([first, *(PluginProblem(**one) for one in answer["problems"])], as_json=as_json)


def _start_of(*, as_json: bool) -> tuple[Deployment, Lists]:
    deployment = boot.load_deployment(boot.deployment_folder(None), as_json=as_json)
    boot.prepare_environment(deployment)
    refuse_environment(deployment, as_json=as_json)
    return deployment, lists_of(deployment)


def _boot(deployment: Deployment, lists: Lists, *, as_json: bool) -> None:
    """Set Django up with ``lists`` instead of the file's: this process needs another set than the next will load."""
    os.environ["PLATFORM_PLUGINS"] = json.dumps(list(lists.plugins))
    os.environ["PLATFORM_DORMANT_PLUGINS"] = json.dumps(list(lists.dormant))
    try:
        boot.set_up(deployment, as_json=as_json)
    finally:
        del os.environ["PLATFORM_PLUGINS"], os.environ["PLATFORM_DORMANT_PLUGINS"]
    from platform_core.registry.ledger import core_pending

    problems = guarded(core_pending)
    if problems:
        fail(problems, as_json=as_json)


def _default_archive(deployment: Deployment, slug: str) -> Path:
    now = datetime.datetime.now(datetime.UTC).strftime("%Y%m%dT%H%M%SZ")
    return deployment.data_dir / ARCHIVES / f"{slug}-{now}.zip"


def _refuse_removal(slug: str, lists: Lists) -> None:
    """Raise PluginErrors for the plugin with the user model, and for one that listed plugins require."""
    candidates = discover()
    problems = [
        PluginProblem(
            plugin=slug,
            code="user_model_needed",
            message="It brings the user model, which can be neither absent nor dormant.",
            way_out="Leave it enabled.",
        )
        for one in resolve_surviving(lists, candidates).plugins
        if one.slug == slug and one.config.auth_user_model
    ]
    for other in (*lists.plugins, *lists.dormant):
        group = candidates.get(other, ())
        if other != slug and group and slug in required_slugs(group[0], candidates):
            problems.append(
                PluginProblem(
                    plugin=other,
                    code="requires_it",
                    place=f"{group[0].distribution}, Requires-Dist",
                    message=f'It requires "{slug}" and is {lists.state_of(other)}.',
                    way_out=f"Uninstall it first: platformctl plugin uninstall {other}.",
                )
            )
    if problems:
        raise PluginErrors(problems)


def _lists_with(lists: Lists, found: Archive, state: str | None) -> Lists:
    slug = found.manifest.slug
    others = lists.without(slug)
    wanted = state or ("enabled" if found.manifest.state == "enabled" else "dormant")
    if wanted == "enabled":
        return Lists(plugins=(*others.plugins, slug), dormant=others.dormant)
    return Lists(plugins=others.plugins, dormant=(*others.dormant, slug))


def _refuse_lists(slug: str, lists: Lists) -> None:
    """Raise PluginErrors when the plugin is not installed, or cannot be in the wanted list."""
    problems = resolve_surviving(lists, discover()).problems
    own = [one for one in problems if one.plugin == slug]
    if own:
        raise PluginErrors(own)


def _require_confirmation(slug: str, confirm: str | None, *, as_json: bool) -> None:
    """Leave with a report unless exactly the slug was given, by option or by typing it."""
    if confirm is None and not as_json:
        confirm = typer.prompt(
            f"Type {slug} to remove it", default="", show_default=False, err=True
        )
    if confirm != slug:
        refuse(
            "It was not confirmed.",
            f"Type the slug when asked, or give --confirm {slug}; nothing was removed.",
            code="not_confirmed",
            as_json=as_json,
        )


def _synchronise() -> None:
    from platform_core.registry.synchronisation import synchronise

    synchronise()


def _done(document: Mapping[str, Any], text: str, *, as_json: bool) -> None:
    if as_json:
        print_json({"ok": True, **document})
    else:
        console.print(Text(text))
