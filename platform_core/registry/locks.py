"""Say which locks a statement takes on tables, and for how much work.

Source: PostgreSQL 18 documentation, "Explicit Locking" and the pages of the commands; the test compares every form
with ``pg_locks``. A statement that is not recognised is unknown, never harmless.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from platform_core.registry.alter_table import read_alter_table
from platform_core.registry.lock_modes import Lock, Mode, Reach, StatementLocks, Work
from platform_core.registry.statements import (
    Reader,
    Token,
    has_words,
    names_after,
    split_on_commas,
    tokens_of,
)


def classify(statement: str) -> StatementLocks:
    """Return the locks of one statement."""
    reader = Reader(tokens_of(statement))
    for phrase, read in _COMMANDS.items():
        if reader.take(*phrase.split()):
            return read(reader) or _unknown(phrase)
    return _unknown(reader.rest[0].text if reader.rest else "")


def _unknown(kind: str) -> StatementLocks:
    return StatementLocks(kind=kind, known=False)


def _known(
    kind: str, locks: Iterable[Lock] = (), work: Work = "catalogue"
) -> StatementLocks | None:
    """Return the answer, with the strongest lock of each table; None when a name could not be read."""
    strongest: dict[tuple[str, Reach], Lock] = {}
    for lock in locks:
        if not lock.relation:
            return None
        key = (lock.relation, lock.reach)
        if key not in strongest or strongest[key].mode < lock.mode:
            strongest[key] = lock
    return StatementLocks(kind=kind, locks=tuple(strongest.values()), work=work)


Read = Callable[[Reader], StatementLocks | None]


def _nothing(kind: str) -> Read:
    """Return a reader for statements that lock no table, unless they cascade."""

    def read(reader: Reader) -> StatementLocks | None:
        return None if has_words(reader.rest, "CASCADE") else _known(kind)

    return read


def _create_table(reader: Reader) -> StatementLocks | None:
    reader.take("IF", "NOT", "EXISTS")
    name = reader.name()
    if not reader.take("("):
        return None  # AS SELECT, PARTITION OF and OF lock or read other tables too
    parts = list(split_on_commas(reader.rest))
    if has_words(reader.rest, "INHERITS") or any(
        part and part[0].kind == "word" and part[0].text == "LIKE" for part in parts
    ):
        return None
    locks = [Lock(name, Mode.ACCESS_EXCLUSIVE), *_referenced(reader.rest)]
    found = _known("CREATE TABLE", locks)
    return found and StatementLocks(kind=found.kind, locks=found.locks, creates=name)


def _referenced(tokens: Sequence[Token]) -> list[Lock]:
    return [Lock(name, Mode.SHARE_ROW_EXCLUSIVE) for name in names_after(tokens, "REFERENCES")]


def _create_index(reader: Reader) -> StatementLocks | None:
    concurrently = reader.take("CONCURRENTLY")
    reader.take("IF", "NOT", "EXISTS")
    index = ""
    if not reader.take("ON"):
        index = reader.name()
        if not reader.take("ON"):
            return None
    reader.take("ONLY")
    table = reader.name()
    if not table:
        return None
    return StatementLocks(
        kind="CREATE INDEX CONCURRENTLY" if concurrently else "CREATE INDEX",
        locks=(Lock(table, Mode.SHARE_UPDATE_EXCLUSIVE if concurrently else Mode.SHARE),),
        work="scan",
        indexes=(index, table) if index else None,
    )


def _drop_index(reader: Reader) -> StatementLocks | None:
    concurrently = reader.take("CONCURRENTLY")
    reader.take("IF", "EXISTS")
    mode = Mode.SHARE_UPDATE_EXCLUSIVE if concurrently else Mode.ACCESS_EXCLUSIVE
    locks = [Lock(name, mode, "index") for name in reader.names()]
    if has_words(reader.rest, "CASCADE"):
        return None
    return _known("DROP INDEX CONCURRENTLY" if concurrently else "DROP INDEX", locks)


def _drop_table(reader: Reader) -> StatementLocks | None:
    reader.take("IF", "EXISTS")
    names = reader.names()
    reaches: tuple[Reach, ...] = ("table", "references")
    if has_words(reader.rest, "CASCADE"):
        reaches = (*reaches, "referenced_by")
    return _known(
        "DROP TABLE",
        [Lock(name, Mode.ACCESS_EXCLUSIVE, reach) for name in names for reach in reaches],
    )


def _truncate(reader: Reader) -> StatementLocks | None:
    reader.take("TABLE")
    reader.take("ONLY")
    names = reader.names()
    reaches: tuple[Reach, ...] = ("table",)
    if has_words(reader.rest, "CASCADE"):
        reaches = ("table", "referenced_by")
    locks = [Lock(name, Mode.ACCESS_EXCLUSIVE, reach) for name in names for reach in reaches]
    return _known("TRUNCATE", locks)


def _create_trigger(reader: Reader) -> StatementLocks | None:
    if has_words(reader.rest, "FROM"):
        return None
    tables = names_after(reader.rest, "ON")
    return _known("CREATE TRIGGER", [Lock(tables[0] if tables else "", Mode.SHARE_ROW_EXCLUSIVE)])


def _drop_trigger(reader: Reader) -> StatementLocks | None:
    reader.take("IF", "EXISTS")
    reader.name()
    if not reader.take("ON"):
        return None
    return _known("DROP TRIGGER", [Lock(reader.name(), Mode.ACCESS_EXCLUSIVE)])


def _comment(reader: Reader) -> StatementLocks | None:
    kind = reader.take_any("TABLE", "COLUMN", "CONSTRAINT")
    name = reader.name()
    if kind == "COLUMN":
        name = name.rpartition(".")[0]
    elif kind == "CONSTRAINT":
        if not reader.take("ON"):
            return None
        name = reader.name()
    if not kind:
        return None
    mode = Mode.ACCESS_SHARE if kind == "CONSTRAINT" else Mode.SHARE_UPDATE_EXCLUSIVE
    return _known(f"COMMENT ON {kind}", [Lock(name, mode)])


def _change_rows(kind: str) -> Read:
    """Return a reader for INSERT, UPDATE and DELETE; keys that they check lock the rows of other tables."""

    def read(reader: Reader) -> StatementLocks | None:
        reader.take("ONLY")
        locks = [Lock(reader.name(), Mode.ROW_EXCLUSIVE)]
        if has_words(reader.rest, "WITH") or has_words(reader.rest, "CONFLICT"):
            return None
        if kind == "DELETE":
            locks.append(Lock(locks[0].relation, Mode.ROW_EXCLUSIVE, "referenced_by"))
        else:
            locks.append(Lock(locks[0].relation, Mode.ROW_SHARE, "references"))
            if kind == "UPDATE":
                locks.append(Lock(locks[0].relation, Mode.ROW_EXCLUSIVE, "referenced_by"))
        read_too = names_after(reader.rest, "FROM", "JOIN", "USING")
        locks += [Lock(name, Mode.ACCESS_SHARE) for name in read_too]
        return _known(kind, locks, "rows")

    return read


def _lock_table(reader: Reader) -> StatementLocks | None:
    reader.take("TABLE")
    reader.take("ONLY")
    names = reader.names()
    modes = sorted((mode.label for mode in Mode), key=len, reverse=True)
    chosen = reader.take_any(*modes) if reader.take("IN") else Mode.ACCESS_EXCLUSIVE.label
    if not chosen:
        return None
    return _known("LOCK TABLE", [Lock(name, Mode[chosen.replace(" ", "_")]) for name in names])


_COMMANDS: dict[str, Read] = {
    "CREATE TABLE": _create_table,
    "CREATE UNLOGGED TABLE": _create_table,
    "CREATE INDEX": _create_index,
    "CREATE UNIQUE INDEX": _create_index,
    "CREATE TRIGGER": _create_trigger,
    "CREATE OR REPLACE TRIGGER": _create_trigger,
    "CREATE TYPE": _nothing("CREATE TYPE"),
    "CREATE DOMAIN": _nothing("CREATE DOMAIN"),
    "CREATE FUNCTION": _nothing("CREATE FUNCTION"),
    "CREATE OR REPLACE FUNCTION": _nothing("CREATE FUNCTION"),
    "CREATE EXTENSION": _nothing("CREATE EXTENSION"),
    "CREATE SEQUENCE": _nothing("CREATE SEQUENCE"),
    "CREATE COLLATION": _nothing("CREATE COLLATION"),
    "ALTER TABLE": read_alter_table,
    "DROP TABLE": _drop_table,
    "DROP INDEX": _drop_index,
    "DROP TRIGGER": _drop_trigger,
    "DROP TYPE": _nothing("DROP TYPE"),
    "DROP FUNCTION": _nothing("DROP FUNCTION"),
    "DROP SEQUENCE": _nothing("DROP SEQUENCE"),
    "DROP COLLATION": _nothing("DROP COLLATION"),
    "TRUNCATE": _truncate,
    "COMMENT ON": _comment,
    "INSERT INTO": _change_rows("INSERT"),
    "UPDATE": _change_rows("UPDATE"),
    "DELETE FROM": _change_rows("DELETE"),
    "LOCK": _lock_table,
    "SET CONSTRAINTS": _nothing("SET CONSTRAINTS"),
    "SET LOCAL": _nothing("SET"),
}
