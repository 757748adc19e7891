"""PostgreSQL's table lock modes, what a statement does to tables, and how far that is in the way of others."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

Work = Literal["catalogue", "rows", "scan", "rewrite"]
"""What happens under the lock: a change of the catalogue, of some rows, a look at or a copy of the whole table."""
Reach = Literal["table", "index", "references", "referenced_by"]
"""The relation itself, the table of the index, what its foreign keys point to, or what points to it."""
Risk = Literal["none", "low", "medium", "high", "unknown"]

WORK_ORDER: tuple[Work, ...] = ("catalogue", "rows", "scan", "rewrite")


class Mode(IntEnum):
    """PostgreSQL's table lock modes, from the weakest to the strongest."""

    ACCESS_SHARE = 1
    ROW_SHARE = 2
    ROW_EXCLUSIVE = 3
    SHARE_UPDATE_EXCLUSIVE = 4
    SHARE = 5
    SHARE_ROW_EXCLUSIVE = 6
    EXCLUSIVE = 7
    ACCESS_EXCLUSIVE = 8

    @property
    def label(self) -> str:
        """The name as PostgreSQL's documentation writes it."""
        return self.name.replace("_", " ")

    @property
    def blocks(self) -> str:
        """What other sessions cannot do meanwhile."""
        if self == Mode.ACCESS_EXCLUSIVE:
            return "reads and writes"
        if self >= Mode.SHARE:
            return "writes"
        return "schema changes" if self == Mode.SHARE_UPDATE_EXCLUSIVE else "nothing"


@dataclass(frozen=True, slots=True)
class Lock:
    """A lock on a table: ``relation`` as the statement names it, and which tables are meant by it.

    ``through`` narrows foreign keys to those with this name or column.
    """

    relation: str
    mode: Mode
    reach: Reach = "table"
    through: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementLocks:
    """What a statement does to tables; ``known`` is false for a statement that was not recognised."""

    kind: str
    locks: tuple[Lock, ...] = ()
    work: Work = "catalogue"
    creates: str = ""
    indexes: tuple[str, str] | None = None
    """The index that it creates, and its table."""
    renames: tuple[str, str] | None = None
    known: bool = True

    @property
    def mode(self) -> Mode | None:
        """The strongest mode, None when no table is locked or the statement is unknown."""
        return max((lock.mode for lock in self.locks), default=None)


def risk_of(mode: Mode | None, work: Work, *, known: bool = True) -> Risk:
    """Return how far a lock on a table with rows is in the way: high when it also lasts as long as the table is big."""
    if not known:
        return "unknown"
    if mode is None or mode < Mode.ROW_EXCLUSIVE:
        return "none"
    if mode < Mode.SHARE:
        return "low"
    return "medium" if work in {"catalogue", "rows"} else "high"
