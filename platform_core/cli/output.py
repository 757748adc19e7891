"""How ``platformctl`` speaks: rich text for people, one JSON document for programs, and its exit codes."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from platform_core.registry.problems import PluginProblem

OK = 0
PROBLEMS = 1
"""The deployment or the input has problems; nothing was changed."""
USAGE = 2
CHANGES = 3
"""``plugin plan`` or ``plugin diff`` with ``--detailed-exitcode`` found something that would change, or differs."""
HELD_BACK = 4
"""``check`` found nothing else wrong than plugins that quarantine or safe mode holds back."""

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document for programs.")]

console = Console(soft_wrap=True)
errors = Console(stderr=True, soft_wrap=True)


def print_json(document: Mapping[str, Any]) -> None:
    """Write one JSON document to standard output; values that JSON does not know become text."""
    sys.stdout.write(json.dumps(document, indent=2, default=str, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def fail(problems: Sequence[PluginProblem], *, as_json: bool = False) -> NoReturn:
    """Report ``problems`` and leave with exit code 1."""
    if as_json:
        print_json({"ok": False, "problems": [problem.as_dict() for problem in problems]})
    else:
        report(problems)
    raise typer.Exit(PROBLEMS)


def report(problems: Sequence[PluginProblem]) -> None:
    """Print every problem with plugin, place, and way out to standard error."""
    count = len(problems)
    errors.print(f"[bold red]{count} problem{'s' if count != 1 else ''}[/] – nothing was changed.")
    for problem in problems:
        errors.print()
        errors.print(Text.assemble((problem.plugin or "deployment", "bold"), f" {problem.place}"))
        errors.print(f"  {problem.message}", markup=False, highlight=False)
        errors.print(f"  → {problem.way_out}", markup=False, highlight=False)


def refuse(message: str, way_out: str, *, code: str, as_json: bool = False) -> NoReturn:
    """Report one problem of the call itself, and leave with exit code 1."""
    fail([PluginProblem(plugin="", code=code, message=message, way_out=way_out)], as_json=as_json)


def table(title: str, *columns: str) -> Table:
    """Return an empty table in the house's form."""
    made = Table(title=title, title_justify="left", header_style="bold", box=None, pad_edge=False)
    for column in columns:
        made.add_column(column, overflow="fold")
    return made


@contextmanager
def step(text: str, *, quiet: bool = False) -> Iterator[None]:
    """Show ``text`` with a spinner while the block runs; nothing when ``quiet``."""
    if quiet:
        yield
        return
    with console.status(text):
        yield
