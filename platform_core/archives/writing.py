"""Write an archive: a sealed file with the rows of a plugin, never in the place of another file."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.db import connection

from platform_core.archives.parts import Part
from platform_core.registry.problems import PluginErrors, PluginProblem
from platform_core.sealed.format import CHUNK
from platform_core.sealed.writing import SealedWriter


class ArchiveWriter(SealedWriter):
    """Writes the archive of a plugin beside the wanted place; without ``place()`` the draft is removed.

    A draft that a killed process left is overwritten by the next archive of the same plugin.
    """

    def __init__(self, target: Path, slug: str) -> None:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        super().__init__(target, f".{slug}.part", compression=zipfile.ZIP_DEFLATED)

    def place(self) -> None:
        """Let the finished draft appear; raises PluginErrors when something stands there by now."""
        try:
            super().place()
        except FileExistsError:
            raise PluginErrors([taken(self.target)]) from None


def taken(target: Path) -> PluginProblem:
    """Return the problem that something stands where the archive is to be written."""
    return PluginProblem(
        plugin="",
        code="archive_exists",
        place=str(target),
        message="There is a file of this name already; an archive is never overwritten.",
        way_out="Give another place with --archive, or move that file away.",
    )


def rows_of(part: Part) -> Iterator[bytes]:
    """Yield the rows of ``part`` as PostgreSQL's COPY writes them, in chunks that end with a row."""
    with connection.cursor() as cursor:
        copying: Any = cursor.copy(part.copy_out())
        waiting: list[bytes] = []
        size = 0
        with copying as copy:
            for data in copy:
                waiting.append(bytes(data))
                size += len(data)
                if size >= CHUNK:
                    yield b"".join(waiting)
                    waiting, size = [], 0
        if waiting:
            yield b"".join(waiting)
