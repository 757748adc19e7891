"""Functions that operations of tests run."""

from __future__ import annotations

from typing import Any

from platform_core.errors import Conflict
from platform_core.operations import RunningOperation, background
from platform_identity.testing import make_unit


@background()
def count(operation: RunningOperation, *, upto: int) -> dict[str, int]:
    for number in range(upto):
        operation.progress(number + 1, upto, "counting")
    make_unit(f"counted {upto}")
    return {"counted": upto}


@background()
def shout(operation: RunningOperation) -> dict[str, Any]:
    with (
        operation.open_input() as source,
        operation.result_file("loud.txt", "text/plain") as target,
    ):
        target.write(source.read().upper())
    return {}


@background()
def refuse(operation: RunningOperation) -> None:
    make_unit("never seen")
    raise Conflict("This cannot be.", code="cannot_be")


@background()
def crash(operation: RunningOperation) -> None:
    with operation.result_file("half.txt", "text/plain") as target:
        target.write(b"half")
    raise RuntimeError("hunter2")


def unmarked(operation: RunningOperation) -> None:
    raise AssertionError
