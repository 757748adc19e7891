"""Exports that nobody waits for: the same file, made by a worker as whoever asked, to be fetched afterwards."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from platform_core.access import current_actor
from platform_core.api_versions import FIRST
from platform_core.operations.declaring import background
from platform_core.operations.keeping import (
    EXPORT,
    bytes_left,
    require_bytes,
    require_place,
    take_bytes,
)
from platform_core.operations.running import RunningOperation
from platform_core.operations.serving import resource_for
from platform_core.operations.starting import start_operation
from platform_core.resource.export_streams import snapshot

if TYPE_CHECKING:
    from platform_core.models import Operation

MOST_IDLE_S = 600
"""How long the disk may take to write one batch before the database gives up waiting for the next question."""


def start_export(*, slug: str, name: str, query: str, version: int) -> Operation:
    """Return a new operation that exports the resource ``name`` as the current actor, in the caller's transaction.

    Raises ``TooManyFiles`` when the actor keeps as many files as one may.
    """
    require_place(current_actor())
    arguments = {"slug": slug, "name": name, "query": query, "version": version}
    return start_operation(export_file, arguments, kind=f"{slug}.{name}{EXPORT}", plugin=slug)


@background(atomic=False)
def export_file(
    operation: RunningOperation, *, slug: str, name: str, query: str, version: int = FIRST
) -> dict[str, int]:
    """Write the rows that ``query`` asks for, and that whoever asked may still export, into the operation's file.

    Raises ``TooManyFiles`` as soon as it is larger than what whoever asked may still keep.
    """
    view = resource_for(operation.actor, slug, name, "export", query=query, version=version)
    file = view.ordered_file()
    left = bytes_left(operation.id, operation.actor)
    rows = size = 0
    with operation.result_file(file.name, file.format.media_type) as target:
        with (
            snapshot(file.queryset.db, most_idle_s=MOST_IDLE_S),
            closing(view.parts(file)) as parts,
        ):
            for part, rows in parts:
                size += target.write(part)
                require_bytes(size, left)
                operation.progress(rows)
        take_bytes(operation.id, operation.actor, size)
    return {"rows": rows}
