"""``platformctl plugin test``: the contract suite over one plugin, with one command."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.text import Text

from platform_core.cli.output import AsJson, console, fail, print_json, refuse
from platform_core.registry.problems import PluginErrors, PluginProblem
from platform_core.testing.plugin_run import (
    Outcome,
    Subject,
    find_subject,
    missing_packages,
    run,
    set_of,
)

LAST_LINES = 15


def judge(
    plugin: Annotated[
        str,
        typer.Argument(
            metavar="PATH|PLUGIN",
            help="A project's folder, a wheel, or an installed plugin's slug.",
        ),
    ],
    as_json: AsJson = False,
) -> None:
    """Judge one plugin by the contract suite, and run its own tests, on a scratch database; needs no deployment."""
    missing = missing_packages()
    if missing:
        refuse(
            f"Tests need what is not installed here: {', '.join(missing)}.",
            'Install it: pip install "platform-core[testing]".',
            code="testing_not_installed",
            as_json=as_json,
        )
    with tempfile.TemporaryDirectory(prefix="platform-test-") as folder:
        scratch = Path(folder).resolve()
        try:
            subject = find_subject(plugin, scratch)
            slugs = set_of(subject)
        except PluginErrors as errors:
            fail(errors.problems, as_json=as_json)
        outcome = _run(subject, slugs, scratch, quiet=as_json)
    if outcome.trouble:
        fail([_trouble(subject, outcome)], as_json=as_json)
    if as_json:
        _print_document(subject, slugs, outcome)
    else:
        _show(subject, slugs, outcome)
    if not outcome.ok:
        raise typer.Exit(1)


def _run(subject: Subject, slugs: list[str], scratch: Path, *, quiet: bool) -> Outcome:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, transient=True, disable=quiet) as bar:
        task = bar.add_task(f"Testing {subject.slug} …", total=None)
        return run(
            subject,
            slugs,
            scratch,
            lambda done, total: bar.update(task, completed=done, total=total or None),
        )


def _trouble(subject: Subject, outcome: Outcome) -> PluginProblem:
    return PluginProblem(
        plugin=subject.slug,
        code="tests_did_not_run",
        message="\n".join(outcome.trouble.splitlines()[-LAST_LINES:]),
        way_out="Repair what the message names; platformctl plugin show tells more about an installed plugin.",
    )


def _print_document(subject: Subject, slugs: list[str], outcome: Outcome) -> None:
    counted = [one["outcome"] for one in outcome.results]
    print_json(
        {
            "ok": outcome.ok,
            "plugin": subject.slug,
            "enabled": slugs,
            "passed": counted.count("passed"),
            "failed": counted.count("failed"),
            "skipped": counted.count("skipped"),
            "tests": outcome.results,
        }
    )


def _show(subject: Subject, slugs: list[str], outcome: Outcome) -> None:
    for one in outcome.failed:
        console.print(Text(one["test"], style="bold red"))
        console.print(Text("\n".join(f"  {line}" for line in one["message"].splitlines())))
    passed = sum(one["outcome"] == "passed" for one in outcome.results)
    summary = f"{subject.slug}: {passed} passed, {len(outcome.failed)} failed"
    console.print(Text(summary, style="green" if outcome.ok else "red"))
    console.print(Text(f"Enabled for it: {', '.join(slugs)}."))
