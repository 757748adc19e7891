"""What ``platformctl`` prints of others' words is their words, not markup for the terminal."""

from __future__ import annotations

import pytest

from platform_core.cli.imports import _show
from platform_core.contributions import ImportProblem, ImportReport

WORDS = "[/bold] is not [red]known"


def test_a_report_of_an_import_quotes_cells_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    problem = ImportProblem(file="[users].csv", row=2, column="[/id]", message=WORDS)

    _show(ImportReport(problems=[problem]), dry_run=False, as_json=False)

    said = capsys.readouterr().err
    assert "1 problem – nothing was written." in said
    for word in ("[users].csv", "[/id]", WORDS):
        assert word in said
