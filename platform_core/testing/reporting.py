"""Tells a program how a run of tests goes: one JSON line for each test, written to the file that a variable names.

``platformctl plugin test`` loads it with ``-p``; it also leaves out the checks of the contract suite that a plugin's
own tests import, because the run has them already.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from platform_core.testing.plugin_run import VARIABLE

SUITE = "platform_core.testing.contract.suite"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what would run twice, and tell how many tests there are."""
    repeated = [one for one in items if _is_check(one) and not _is_of_the_run(one)]
    items[:] = [one for one in items if one not in repeated]
    config.hook.pytest_deselected(items=repeated)
    _tell({"tests": len(items)})


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Tell what became of a test, once: when it was called, or when it did not get that far."""
    if report.when == "call" or report.outcome != "passed":
        _tell(
            {
                "test": _name(report),
                "outcome": "failed" if report.failed else report.outcome,
                "message": _message(report) if report.failed else "",
            }
        )


def _name(report: pytest.TestReport) -> str:
    path, _, rest = report.nodeid.partition("::")
    return f"{Path(path).name}::{rest}"


def _is_check(item: pytest.Item) -> bool:
    return getattr(getattr(item, "function", None), "__module__", "") == SUITE


def _is_of_the_run(item: pytest.Item) -> bool:
    return item.path.parent == Path(os.environ[VARIABLE]).parent


def _message(report: pytest.TestReport) -> str:
    crash: Any = getattr(report.longrepr, "reprcrash", None)
    told = str(crash.message if crash is not None else report.longrepr)
    return told.removeprefix("AssertionError: ")


def _tell(line: dict[str, Any]) -> None:
    with Path(os.environ[VARIABLE]).open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(line) + "\n")
