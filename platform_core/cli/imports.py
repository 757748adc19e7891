"""``platformctl import``: run an importer with a progress bar and a row-by-row report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from platform_core.cli import boot
from platform_core.cli.output import PROBLEMS, AsJson, console, errors, print_json, refuse, table
from platform_core.contributions import Importer, ImportProgress, ImportReport
from platform_core.errors import DomainError

SHOWN_PROBLEMS = 50


def import_files(
    name: Annotated[str, typer.Argument(help="The importer, for example education.")],
    path: Annotated[Path, typer.Argument(help="The file or folder to load.")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Do everything, then roll it back.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Load PATH with an importer of an enabled plugin, whole or not at all."""
    deployment = boot.load_deployment(boot.deployment_folder(None), as_json=as_json)
    with boot.database(deployment, as_json=as_json):
        boot.set_up(deployment, as_json=as_json)
        importer = _find(name, as_json=as_json)
        if not path.exists():
            refuse(f"{path} does not exist.", "Correct the path.", code="no_file", as_json=as_json)
        try:
            with progress_bar(quiet=as_json) as progress:
                report = importer.run(path, dry_run=dry_run, progress=progress)
        except DomainError as error:
            refuse(str(error.message), "Nothing was written.", code=error.code, as_json=as_json)
    _show(report, dry_run=dry_run, as_json=as_json)
    if report.problems:
        raise typer.Exit(PROBLEMS)


def _find(name: str, *, as_json: bool) -> Importer:
    from platform_core.registry import installed

    importers: dict[str, Importer] = {
        item.name: item for item in installed().contributions("importers")
    }
    if name not in importers:
        refuse(
            f'No enabled plugin has an importer "{name}".',
            f"There are: {', '.join(sorted(importers)) or 'none'}.",
            code="unknown_importer",
            as_json=as_json,
        )
    return importers[name]


@contextmanager
def progress_bar(*, quiet: bool) -> Iterator[ImportProgress]:
    """Yield a callback that moves one bar for each step; silent when ``quiet``."""
    bars = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=errors,
        disable=quiet,
    )
    tasks: dict[str, int] = {}
    with bars:

        def progress(step: str, done: int, total: int) -> None:
            if step not in tasks:
                tasks[step] = bars.add_task(step, total=total)
            bars.update(tasks[step], completed=done, total=total)  # type: ignore[arg-type]

        yield progress


def _show(report: ImportReport, *, dry_run: bool, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "ok": not report.problems,
                "dry_run": dry_run,
                "created": dict(report.created),
                "updated": dict(report.updated),
                "unchanged": dict(report.unchanged),
                "problems": [asdict(problem) for problem in report.problems],
            }
        )
        return
    if report.problems:
        _show_problems(report)
        return
    counts = table(
        "Would be written (dry run)" if dry_run else "Written",
        "model",
        "created",
        "updated",
        "unchanged",
    )
    for model in sorted({*report.created, *report.updated, *report.unchanged}):
        counts.add_row(
            model,
            *(_count(part, model) for part in (report.created, report.updated, report.unchanged)),
        )
    console.print(counts)


def _show_problems(report: ImportReport) -> None:
    count = len(report.problems)
    errors.print(f"[bold red]{count} problem{'s' if count != 1 else ''}[/] – nothing was written.")
    shown = table("", "file", "row", "column", "problem")
    for problem in report.problems[:SHOWN_PROBLEMS]:
        cells = (problem.file, str(problem.row or ""), problem.column, problem.message)
        shown.add_row(*map(Text, cells))  # not markup: they quote the file
    errors.print(shown)
    if count > SHOWN_PROBLEMS:
        errors.print(f"… and {count - SHOWN_PROBLEMS} more; --json lists all.")


def _count(counts: Mapping[str, int], model: str) -> str:
    return str(counts.get(model, 0))
