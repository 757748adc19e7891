"""``platformctl plugin doctor``: what is wrong with a deployment, why it matters, and what mends it."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack

import typer
from rich.text import Text

from platform_core.cli import boot
from platform_core.cli.output import PROBLEMS, AsJson, console, print_json, step
from platform_core.conf.deployment import Deployment
from platform_core.registry.diagnosis import diagnose
from platform_core.registry.findings import SEVERITIES, Finding
from platform_core.registry.problems import PluginErrors
from platform_core.registry.situation import Situation, look

COLOURS = {"error": "bold red", "warning": "yellow", "notice": "cyan"}


def doctor(as_json: AsJson = False) -> None:
    """Look for what is wrong with plugins, settings, files and database, changing nothing."""
    findings = diagnose(situation_of(_deployment(as_json=as_json), quiet=as_json))
    counts = Counter(one.severity for one in findings)
    if as_json:
        print_json(
            {
                "ok": not counts["error"],
                "counts": {name: counts[name] for name in SEVERITIES},
                "findings": [one.as_dict() for one in findings],
            }
        )
    else:
        _show(findings)
    if counts["error"]:
        raise typer.Exit(PROBLEMS)


def situation_of(deployment: Deployment, *, quiet: bool) -> Situation:
    """Look at the deployment, with its embedded database lent when that can be started."""
    with ExitStack() as stack:
        error = ""
        try:
            stack.enter_context(boot.lent_database(deployment, quiet=quiet))
        except PluginErrors as errors:
            error = errors.problems[0].message
        with step("Starting the plugins …", quiet=quiet):
            return look(deployment, database_error=error)


def _deployment(*, as_json: bool) -> Deployment:
    deployment = boot.load_deployment(boot.deployment_folder(None), as_json=as_json)
    boot.prepare_environment(deployment)
    return deployment


def _show(findings: list[Finding]) -> None:
    if not findings:
        console.print("[green]Nothing is wrong.[/]")
        return
    for one in findings:
        head = Text.assemble((one.severity, COLOURS[one.severity]), f" {one.code}  ")
        head.append(f"{one.plugin or 'deployment'} ", style="bold")
        console.print(head.append(one.where, style="dim"))
        console.print(Text(f"  {one.what}\n  {one.why}\n  → {one.mend}"))
    counts = Counter(one.severity for one in findings)
    parts = [f"{counts[name]} {name}{'s' * (counts[name] != 1)}" for name in SEVERITIES]
    console.print(Text(", ".join(parts), style="bold"))
