"""Demo data: a small district of two schools, imported the way real ones are."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from platform_core.contributions import FirstRunContext
from platform_education.importers.oneroster import import_oneroster
from platform_education.selectors import has_schools
from platform_education.testing import write_oneroster_set


def load_demo_data(context: FirstRunContext) -> Sequence[str]:
    """Import the demo schools unless there are schools already; ``RuntimeError`` when the import refuses them."""
    if has_schools():
        return ()
    with tempfile.TemporaryDirectory() as folder:
        write_oneroster_set(Path(folder), schools=2, students=60)
        report = import_oneroster(Path(folder), dry_run=False, progress=_quiet)
    if report.problems:
        raise RuntimeError(f"The demo data was refused: {report.problems[0]}")
    made = report.created
    line = (
        f"Demo data: {made['School']} schools, {made['Student']} students, "
        f"{made['Teacher']} teachers, {made['CourseOffering']} course offerings."
    )
    return (line,)


def _quiet(step: str, done: int, total: int) -> None:
    """Report no progress."""
