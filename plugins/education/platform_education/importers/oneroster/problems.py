"""The list of what is wrong with a set, collected without stopping at the first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils.translation import gettext as _

from platform_core.contributions import ImportProblem

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

MAX_PROBLEMS = 10_000
"""How many problems are listed; what comes after is only counted."""


class Problems:
    """Collects problems; ``listed`` returns them by file and row."""

    def __init__(self) -> None:
        self._found: list[ImportProblem] = []
        self._more = 0

    def __bool__(self) -> bool:
        return bool(self._found)

    @property
    def count(self) -> int:
        """Return the number of problems noted, listed or not."""
        return len(self._found) + self._more

    def add(self, file: str, row: int, column: str, message: StrOrPromise) -> None:
        """Note that ``column`` of ``row`` (from 1 below the header; 0 is the file itself) is wrong."""
        if len(self._found) >= MAX_PROBLEMS:
            self._more += 1
            return
        self._found.append(ImportProblem(file=file, row=row, column=column, message=str(message)))

    def listed(self) -> tuple[ImportProblem, ...]:
        """Return the problems in the order of files and rows; the last one counts those left out."""
        found = sorted(self._found, key=lambda one: (one.file, one.row))
        if self._more:
            message = _("There are %(count)d more problems; correct these first.")
            found.append(
                ImportProblem(file="", row=0, column="", message=message % {"count": self._more})
            )
        return tuple(found)
