"""``init``, ``check`` and ``migrate``: make a deployment, judge it, bring its database up to date."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from platform_core.cli import boot
from platform_core.cli.output import HELD_BACK, AsJson, console, fail, print_json, refuse, step
from platform_core.conf.deployment import FILE_NAME
from platform_core.registry.discovery import discover
from platform_core.registry.holding import HeldBack
from platform_core.registry.problems import PluginProblem, database_unreachable

PLATFORM_TOML = """\
# This deployment: what is enabled, and the settings that are not secret.
[platform]
settings = "settings"
plugins = [{plugins}]
dormant_plugins = []
data_dir = "var"
time_zone = "Europe/Paris"
language = "en"

# One table for each plugin's settings, for example:
# [plugins.identity]
# issuer = "https://platform.example.org"
"""

SETTINGS_MODULE = '''\
"""Settings of this deployment; platform.toml says which plugins are enabled."""

import os
from pathlib import Path

from platform_core.conf import build_settings

PROFILE = os.environ.get("PLATFORM_PROFILE", "dev")
globals().update(build_settings(Path(__file__).resolve().parent, profile=PROFILE))
'''


def init(
    folder: Annotated[Path, typer.Argument(help="The folder to make; it must not hold one yet.")],
    plugin: Annotated[
        list[str] | None, typer.Option("--plugin", help="A plugin to enable; may be repeated.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write a new deployment: platform.toml and a settings module."""
    chosen = plugin or (["identity"] if "identity" in discover() else [])
    files = {
        folder / FILE_NAME: PLATFORM_TOML.format(plugins=", ".join(f'"{name}"' for name in chosen)),
        folder / "settings.py": SETTINGS_MODULE,
        folder / ".gitignore": "var/\n",
    }
    taken = [path.name for path in files if path.exists()]
    if taken or (folder.exists() and not folder.is_dir()):
        refuse(
            f"{folder} already holds {', '.join(taken) or 'a file of this name'}.",
            "Choose another folder; nothing was written.",
            code="folder_taken",
            as_json=as_json,
        )
    unknown = sorted(set(chosen) - set(discover()))
    if unknown:
        refuse(
            f"No installed distribution provides {', '.join(unknown)}.",
            f"Install its wheel first, or choose among {', '.join(discover()) or 'none'}.",
            code="unknown_plugin",
            as_json=as_json,
        )
    folder.mkdir(parents=True, exist_ok=True)
    for path, text in files.items():
        path.write_text(text, encoding="utf-8")
    if as_json:
        print_json({"ok": True, "folder": str(folder), "plugins": chosen})
        return
    console.print(
        f"Made a deployment in [bold]{escape(str(folder))}[/] with {', '.join(chosen) or 'no plugins'}."
    )
    following = f"Next: platformctl --dir {shlex.quote(str(folder))} run"
    console.print(following, markup=False, highlight=False)


def check(
    deploy: Annotated[bool, typer.Option("--deploy", help="Also judge it for production.")] = False,
    as_json: AsJson = False,
) -> None:
    """Judge settings, plugins, models and database without changing anything."""
    deployment = boot.load_deployment(boot.deployment_folder(None), as_json=as_json)
    with boot.database(deployment, as_json=as_json):
        boot.set_up(deployment, as_json=as_json)
        problems = [*system_problems(deploy=deploy), *ledger_problems()] or settings_problems()
        held = held_back()
    if problems:
        fail(problems, as_json=as_json)
    if as_json:
        print_json({"ok": True, "problems": [], "held_back": [one.as_dict() for one in held]})
    else:
        console.print("[green]No problems found.[/]")
        for one in held:
            console.print(str(one), style="yellow", markup=False, highlight=False)
    if held:
        raise typer.Exit(HELD_BACK)


def migrate(as_json: AsJson = False) -> None:
    """Apply migrations, then synchronise the ledger, feature flags and default roles."""
    deployment = boot.load_deployment(boot.deployment_folder(None), as_json=as_json)
    with boot.database(deployment, as_json=as_json):
        boot.set_up(deployment, as_json=as_json)
        refuse_unfit_database(as_json=as_json)
        with step("Applying migrations …", quiet=as_json):
            applied = apply_migrations()
        note_configuration("migrate")
    if as_json:
        print_json({"ok": True, "applied": applied})
    else:
        console.print(f"[green]{len(applied)} migrations applied.[/]")


def apply_migrations() -> list[str]:
    """Apply what is pending and return it, as ``label.name``."""
    from platform_core.registry.migrating import migrate as apply

    return apply()


def note_configuration(process: str) -> None:
    """Tell the audit trail which settings have changed since such a ``process`` last started."""
    from platform_core.runtime_settings.configuration import note_configuration as note

    note(process)


def refuse_unfit_database(*, as_json: bool) -> None:
    """Leave with a report when this database must not be used with this code and these lists."""
    from platform_core.registry.ledger import blocking_problems

    problems = [*system_problems(deploy=False), *guarded(blocking_problems)]
    if problems:
        fail(problems, as_json=as_json)


def held_back() -> Sequence[HeldBack]:
    """Return the plugins that quarantine or safe mode keeps from the state that the lists ask for."""
    from django.conf import settings

    found: Sequence[HeldBack] = settings.PLATFORM.resolution.held_back
    return found


def ledger_problems() -> list[PluginProblem]:
    """Return what is wrong between the loaded plugins and the database."""
    from platform_core.registry.ledger import database_problems

    return guarded(database_problems)


def settings_problems() -> list[PluginProblem]:
    """Return the settings whose values were set at run time and do not count any more."""
    from platform_core.runtime_settings.reading import settings_problems as look

    return guarded(look)


def guarded(look: Callable[[], list[PluginProblem]]) -> list[PluginProblem]:
    """Return what ``look`` finds in the database, or that there is none to look into."""
    from django.db import DatabaseError

    try:
        return look()
    except DatabaseError as error:
        return [database_unreachable(error)]


def system_problems(*, deploy: bool) -> list[PluginProblem]:
    """Return Django's system check findings of level warning and above, as problems.

    Those of plugins in quarantine are left out: they are known, and the plugins are loaded for their tables only.
    """
    from django.conf import settings
    from django.core import checks

    known = {one.slug for one in settings.PLATFORM.resolution.with_state("quarantined")}
    messages = checks.run_checks(include_deployment_checks=deploy)
    level = checks.WARNING if deploy else checks.ERROR
    return [
        PluginProblem(
            plugin=_owner(message.obj),
            code=message.id or "check",
            place=str(message.obj or ""),
            message=str(message.msg),
            way_out=str(message.hint or "See Django's system check reference for this code."),
        )
        for message in messages
        if message.level >= level and not message.is_silenced() and _owner(message.obj) not in known
    ]


def _owner(thing: Any) -> str:
    meta = getattr(thing, "_meta", None) or getattr(getattr(thing, "model", None), "_meta", None)
    return getattr(meta, "app_label", "")
