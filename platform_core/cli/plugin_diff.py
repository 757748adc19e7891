"""``platformctl plugin diff``: what another release of a plugin adds, changes and drops, and what that breaks."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Annotated

import typer
from rich.text import Text

from platform_core.cli import boot
from platform_core.cli.output import CHANGES, AsJson, console, fail, print_json, step
from platform_core.registry.problems import PluginErrors
from platform_core.registry.release_diff import Change, changes_between, sentence
from platform_core.registry.releases import INSTALLED, RECORDED, Release, read_release

SIGNS = {"added": ("+", "green"), "dropped": ("-", "red")}
OTHER = ("~", "yellow")

Slug = Annotated[str, typer.Argument(metavar="PLUGIN", help="The plugin's slug.")]


def diff(
    slug: Slug,
    before: Annotated[
        str, typer.Option("--from", help="recorded (in this database), installed, or a wheel.")
    ] = RECORDED,
    after: Annotated[
        str, typer.Option("--to", help="installed, recorded, or a wheel.")
    ] = INSTALLED,
    detailed_exitcode: Annotated[
        bool, typer.Option("--detailed-exitcode", help="Exit with 3 when they differ.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Compare two releases of a plugin; a wheel is looked at in a process of its own and never installed."""
    deployment = boot.load_deployment(boot.deployment_folder(None), as_json=as_json)
    boot.prepare_environment(deployment)
    try:
        with ExitStack() as stack:
            if RECORDED in (before, after):
                stack.enter_context(boot.database(deployment, as_json=as_json))
            with step("Starting the releases …", quiet=as_json):
                old, new = (read_release(deployment, slug, source) for source in (before, after))
    except PluginErrors as errors:
        fail(errors.problems, as_json=as_json)
    changes = changes_between(old.contents, new.contents)
    if as_json:
        print_json(
            {
                "ok": True,
                "plugin": slug,
                "from": old.as_dict(),
                "to": new.as_dict(),
                "differs": bool(changes),
                "breaking": any(one.breaking for one in changes),
                "summary": _summary(slug, old, new, changes),
                "changes": [one.as_dict() for one in changes],
            }
        )
    else:
        _show(slug, old, new, changes)
    if detailed_exitcode and changes:
        raise typer.Exit(CHANGES)


def _summary(slug: str, old: Release, new: Release, changes: list[Change]) -> str:
    told = sentence(changes) or "changes nothing"
    return f"{slug} {old.version or '(not recorded)'} → {new.version or '(not recorded)'}: {told}."


def _show(slug: str, old: Release, new: Release, changes: list[Change]) -> None:
    console.print(Text(_summary(slug, old, new, changes), style="bold"))
    for one in changes:
        sign, colour = SIGNS.get(one.change, OTHER)
        line = Text(f"  {sign} {one.text}", style=colour)
        if one.breaking:
            line.append("  breaking", style="bold red")
        console.print(line)
    count = sum(one.breaking for one in changes)
    if count:
        console.print(Text(f"{count} breaking change{'s' if count != 1 else ''}.", style="red"))
