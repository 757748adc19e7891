"""Find the tables of a database on which the locks of a statement fall, and how big they are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from platform_core.registry.lock_modes import Lock, Mode

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
_ROWS = "SELECT reltuples::bigint FROM pg_class WHERE oid = to_regclass(%(name)s)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A table that is locked; ``exists`` is whether it is in the database now."""

    table: str
    mode: Mode
    exists: bool


def find_targets(
    cursor: Any, locks: Iterable[Lock], *, renamed: Mapping[str, str] | None = None
) -> list[Target]:
    """Return the tables that are locked, each once with its strongest mode, in order of name.

    ``renamed`` maps new names to the names that the database still has.
    """
    found: dict[str, Target] = {}
    for lock in locks:
        name = (renamed or {}).get(lock.relation, lock.relation)
        cursor.execute(_QUERIES[lock.reach], {"name": _quoted(name), "through": lock.through})
        tables = [row[0] for row in cursor.fetchall() if row[0] is not None]
        if not tables and lock.reach == "table" and lock.mode > Mode.ACCESS_SHARE:
            _add(found, Target(table=lock.relation, mode=lock.mode, exists=False))
        for table in tables:
            _add(found, Target(table=_plain(table), mode=lock.mode, exists=True))
    return sorted(found.values(), key=lambda target: target.table)


def estimated_rows(cursor: Any, table: str) -> int | None:
    """Return the planner's estimate of the rows of ``table``; None when it was never analysed or is absent."""
    cursor.execute(_ROWS, {"name": _quoted(table)})
    row = cursor.fetchone()
    return int(row[0]) if row is not None and row[0] >= 0 else None


def _add(found: dict[str, Target], target: Target) -> None:
    if target.table not in found or found[target.table].mode < target.mode:
        found[target.table] = target


def _quoted(name: str) -> str:
    return ".".join('"' + part.replace('"', '""') + '"' for part in name.split("."))


def _plain(name: str) -> str:
    return name.replace('""', "\0").replace('"', "").replace("\0", '"')
