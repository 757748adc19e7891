"""Exports that nobody waits for: the same file, made by a worker as whoever asked, to be fetched afterwards."""

from __future__ import annotations

from contextlib import closing

from platform_core.api_versions import FIRST
from platform_core.operations.declaring import background
from platform_core.operations.running import RunningOperation
from platform_core.operations.serving import resource_for
from platform_core.resource.exports import snapshot

MOST_IDLE_S = 600
"""How long the disk may take to write one batch before the database gives up waiting for the next question."""


@background(atomic=False)
def export_file(
    operation: RunningOperation, *, slug: str, name: str, query: str, version: int = FIRST
) -> dict[str, int]:
    """Write the rows that ``query`` asks for, and that whoever asked may still export, into the operation's file."""
    view = resource_for(operation.actor, slug, name, "export", query=query, version=version)
    file = view.ordered_file()
    rows = 0
    with (
        operation.result_file(file.name, file.format.media_type) as target,
        snapshot(file.queryset.db, most_idle_s=MOST_IDLE_S),
        closing(view.parts(file)) as parts,
    ):
        for part, rows in parts:
            target.write(part)
            operation.progress(rows)
    return {"rows": rows}
