"""Fixtures of the education tests: made-up sets, imported ones, and people with roles."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from platform_core.contributions import ImportReport
from platform_education.importers.oneroster import import_oneroster
from platform_education.testing import write_oneroster_set


def quiet(step: str, done: int, total: int) -> None:
    """Take progress and say nothing."""


@pytest.fixture
def roster(tmp_path: Path) -> Path:
    """A valid set of two schools and twelve students."""
    folder = tmp_path / "set"
    write_oneroster_set(folder, schools=2, students=12, courses_per_student=2)
    return folder


@pytest.fixture
def run() -> Callable[..., ImportReport]:
    """Import a path quietly; the report."""

    def run(path: Path, *, dry_run: bool = False) -> ImportReport:
        return import_oneroster(path, dry_run=dry_run, progress=quiet)

    return run


@pytest.fixture
def imported(db: Any, roster: Path, run: Callable[..., ImportReport]) -> Path:
    """The set, already imported."""
    report = run(roster)
    assert not report.problems, report.problems
    return roster
