"""Find the tables of a database on which the locks of a statement fall, and how big they are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from platform_core.registry.lock_modes import Lock, Mode, Reach

_RELATION = "SELECT to_regclass(%(name)s)::text"
_TABLE_OF_INDEX = (
    "SELECT indrelid::regclass::text FROM pg_index WHERE indexrelid = to_regclass(%(name)s)"
)
_FOREIGN_KEYS = """
SELECT DISTINCT other::regclass::text FROM (
    SELECT conname, {other} AS other, conrelid, confrelid, {own} AS own, {key} AS columns
    FROM pg_constraint WHERE contype = 'f'
) AS keys
WHERE own = to_regclass(%(name)s) AND conrelid <> confrelid AND (
    %(through)s = '' OR conname = %(through)s OR EXISTS (
        SELECT FROM pg_attribute
        WHERE attrelid = own AND attnum = ANY (columns) AND attname = %(through)s
    )
)
"""
_QUERIES = {
    "table": _RELATION,
    "index": _TABLE_OF_INDEX,
    "references": _FOREIGN_KEYS.format(other="confrelid", own="conrelid", key="conkey"),
    "referenced_by": _FOREIGN_KEYS.format(other="conrelid", own="confrelid", key="confkey"),
}
_RELATIONS = "SELECT oid::regclass::text, reltuples::bigint FROM pg_class"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A table that is locked; ``exists`` is whether it is in the database now."""

    table: str
    mode: Mode
    exists: bool


class Catalogue:
    """What a database's catalogue says of tables, asked once for all of them: it must not change meanwhile."""

    def __init__(self, cursor: Any) -> None:
        self._cursor = cursor
        self._answers: dict[tuple[str, Reach, str], list[str]] = {}
        cursor.execute(_RELATIONS)
        self._rows: dict[str, int] = {_plain(name): rows for name, rows in cursor.fetchall()}
        """By name, which has its schema where the search path does not lead to it."""

    def tables(self, name: str, reach: Reach, through: str) -> list[str]:
        """Return the tables that ``reach`` leads to from the relation ``name``."""
        if reach == "table" and "." not in name:
            return [name] if name in self._rows else []
        key = (name, reach, through)
        if key not in self._answers:
            self._cursor.execute(_QUERIES[reach], {"name": _quoted(name), "through": through})
            found = [row[0] for row in self._cursor.fetchall()]
            self._answers[key] = [_plain(table) for table in found if table is not None]
        return self._answers[key]

    def estimated_rows(self, table: str) -> int | None:
        """Return the planner's estimate of the rows of ``table``; None when it was never analysed or is absent."""
        rows = self._rows.get(table, -1)
        return rows if rows >= 0 else None


def find_targets(
    catalogue: Catalogue, locks: Iterable[Lock], *, renamed: Mapping[str, str] | None = None
) -> list[Target]:
    """Return the tables that are locked, each once with its strongest mode, in order of name.

    ``renamed`` maps new names to the names that the database still has.
    """
    found: dict[str, Target] = {}
    for lock in locks:
        name = (renamed or {}).get(lock.relation, lock.relation)
        tables = catalogue.tables(name, lock.reach, lock.through)
        if not tables and lock.reach == "table" and lock.mode > Mode.ACCESS_SHARE:
            _add(found, Target(table=lock.relation, mode=lock.mode, exists=False))
        for table in tables:
            _add(found, Target(table=table, mode=lock.mode, exists=True))
    return sorted(found.values(), key=lambda target: target.table)


def _add(found: dict[str, Target], target: Target) -> None:
    if target.table not in found or found[target.table].mode < target.mode:
        found[target.table] = target


def _quoted(name: str) -> str:
    return ".".join('"' + part.replace('"', '""') + '"' for part in name.split("."))


def _plain(name: str) -> str:
    return name.replace('""', "\0").replace('"', "").replace("\0", '"')
