"""Operations: long work that is answered with 202 at once, and may be watched, fetched and cancelled afterwards.

A view starts one with a function that ``background`` marks, JSON arguments, and maybe a file::

    @background()
    def import_rows(operation: RunningOperation, *, resource: str) -> dict[str, int]:
        with operation.open_input() as source:
            for done, row in enumerate(source):
                operation.progress(done)
                ...
        return {"created": done}

    operation = start_operation(
        import_rows, {"resource": name}, kind="education.students.import", plugin="education", input_file=request
    )
    return accepted(request, operation)

The function runs in a worker as whoever asked, and decides access again: grants may have ended in between.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from platform_core.operations.answers import accepted
    from platform_core.operations.declaring import background
    from platform_core.operations.running import RunningOperation
    from platform_core.operations.starting import start_operation

_HOMES = {
    "RunningOperation": "running",
    "accepted": "answers",
    "background": "declaring",
    "start_operation": "starting",
}

__all__ = ["RunningOperation", "accepted", "background", "start_operation"]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{home}"), name)
