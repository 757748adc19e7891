"""The locks of ``ALTER TABLE``, action by action: the strongest of them is what the statement takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from platform_core.registry.lock_modes import WORK_ORDER, Lock, Mode, StatementLocks, Work
from platform_core.registry.statements import (
    Reader,
    Token,
    has_words,
    names_after,
    split_on_commas,
)

STABLE_FUNCTIONS = frozenset({"NOW", "STATEMENT_TIMESTAMP", "TRANSACTION_TIMESTAMP"})
"""Functions whose value is the same for all rows of a statement: a column can have it without a rewrite."""

SERIAL_TYPES = frozenset({"SERIAL", "BIGSERIAL", "SMALLSERIAL"})


@dataclass(frozen=True, slots=True)
class Action:
    """One action: its name, the lock on the table itself, its work, and the locks on other tables."""

    kind: str
    mode: Mode = Mode.ACCESS_EXCLUSIVE
    work: Work = "catalogue"
    others: tuple[Lock, ...] = ()
    renamed_to: str = ""


def read_alter_table(reader: Reader) -> StatementLocks | None:
    """Return the locks of the statement after ``ALTER TABLE``; None when one of its actions is not recognised."""
    reader.take("IF", "EXISTS")
    reader.take("ONLY")
    table = reader.name()
    reader.take("*")
    actions = [_action(Reader(part), table) for part in split_on_commas(reader.rest)]
    if not table or not all(actions):
        return None
    found = [action for action in actions if action is not None]
    own = Lock(table, max(action.mode for action in found))
    others = dict.fromkeys(
        lock
        for action in found
        for lock in action.others
        if (lock.relation, lock.reach) != (table, "table")
    )
    renamed_to = found[0].renamed_to
    return StatementLocks(
        kind=f"ALTER TABLE {', '.join(dict.fromkeys(action.kind for action in found))}",
        locks=(own, *others),
        work=max((action.work for action in found), key=WORK_ORDER.index),
        renames=(table, renamed_to) if renamed_to else None,
    )


def _action(reader: Reader, table: str) -> Action | None:
    first = reader.take_any("ADD", "DROP", "ALTER", "RENAME", "SET", "RESET")
    if first == "ADD":
        return _add(reader)
    if first == "DROP":
        return _drop(reader, table)
    if first == "ALTER":
        return _alter(reader, table)
    if first == "RENAME":
        return _rename(reader)
    if first in {"SET", "RESET"}:
        return _set(reader, first)
    return _other(reader, table)


def _add(reader: Reader) -> Action | None:
    if reader.take("CONSTRAINT"):
        reader.name()
    elif not reader.rest or reader.rest[0].text not in _TABLE_CONSTRAINTS:
        return _add_column(reader)
    kind = reader.take_any("FOREIGN KEY", "CHECK", "UNIQUE", "PRIMARY KEY", "EXCLUDE", "NOT NULL")
    if not kind:
        return None
    deferred = has_words(reader.rest, "NOT", "VALID") or has_words(reader.rest, "USING", "INDEX")
    work: Work = "catalogue" if deferred else "scan"
    if kind == "FOREIGN KEY":
        return Action("ADD FOREIGN KEY", Mode.SHARE_ROW_EXCLUSIVE, work, _references(reader.rest))
    return Action(f"ADD {kind}", work=work)


_TABLE_CONSTRAINTS = frozenset({"FOREIGN", "CHECK", "UNIQUE", "PRIMARY", "EXCLUDE"})


def _references(tokens: Sequence[Token]) -> tuple[Lock, ...]:
    return tuple(Lock(name, Mode.SHARE_ROW_EXCLUSIVE) for name in names_after(tokens, "REFERENCES"))


def _add_column(reader: Reader) -> Action:
    reader.take("COLUMN")
    reader.take("IF", "NOT", "EXISTS")
    reader.name()
    words = {token.text for token in reader.rest if token.kind == "word"}
    work: Work = "catalogue"
    if _value_differs_by_row(reader.rest) or words & {"IDENTITY", "STORED"} or words & SERIAL_TYPES:
        work = "rewrite"
    elif words & {"UNIQUE", "PRIMARY", "CHECK"} or ("REFERENCES" in words and "DEFAULT" in words):
        work = "scan"
    return Action("ADD COLUMN", work=work, others=_references(reader.rest))


def _value_differs_by_row(tokens: Sequence[Token]) -> bool:
    """Tell whether the default calls a function that is not known to be stable."""
    after_default = False
    for place, token in enumerate(tokens):
        calls = place + 1 < len(tokens) and tokens[place + 1].text == "("
        if token.text == "DEFAULT":
            after_default = True
        elif after_default and calls and token.name and token.text not in STABLE_FUNCTIONS:
            return True
    return False


def _drop(reader: Reader, table: str) -> Action | None:
    kind = reader.take_any("CONSTRAINT", "COLUMN") or "COLUMN"
    reader.take("IF", "EXISTS")
    name = reader.name()
    if not name:
        return None
    others = [Lock(table, Mode.ACCESS_EXCLUSIVE, "references", name)]
    if has_words(reader.rest, "CASCADE"):
        through = name if kind == "COLUMN" else ""
        others.append(Lock(table, Mode.ACCESS_EXCLUSIVE, "referenced_by", through))
    return Action(f"DROP {kind}", others=tuple(others))


def _alter(reader: Reader, table: str) -> Action | None:
    if reader.take("CONSTRAINT"):
        return None
    reader.take("COLUMN")
    column = reader.name()
    kind = reader.take_any(
        "SET STATISTICS", "SET (", "RESET (", "SET NOT NULL", "DROP NOT NULL", "SET DEFAULT",
        "DROP DEFAULT", "SET DATA TYPE", "TYPE", "SET STORAGE", "SET COMPRESSION",
        "ADD GENERATED", "SET GENERATED", "DROP IDENTITY", "DROP EXPRESSION",
    )  # fmt: skip
    if kind in {"SET STATISTICS", "SET (", "RESET ("}:
        return Action(f"ALTER COLUMN {kind.rstrip(' (')}", Mode.SHARE_UPDATE_EXCLUSIVE)
    if kind in {"TYPE", "SET DATA TYPE"}:
        keys = (
            Lock(table, Mode.ACCESS_EXCLUSIVE, "references", column),
            Lock(table, Mode.ACCESS_EXCLUSIVE, "referenced_by", column),
        )
        return Action("ALTER COLUMN TYPE", work="rewrite", others=keys)
    if not kind:
        return None
    return Action(f"ALTER COLUMN {kind}", work="scan" if kind == "SET NOT NULL" else "catalogue")


def _rename(reader: Reader) -> Action:
    if reader.take("TO"):
        return Action("RENAME", renamed_to=reader.name())
    return Action("RENAME CONSTRAINT" if reader.take("CONSTRAINT") else "RENAME COLUMN")


def _set(reader: Reader, verb: str) -> Action | None:
    if reader.take("("):
        names = {name.partition(".")[0] for name in _parameters(reader)}
        known = all(name == "fillfactor" or name.startswith("autovacuum_") for name in names)
        mode = Mode.SHARE_UPDATE_EXCLUSIVE if known else Mode.ACCESS_EXCLUSIVE
        return Action(f"{verb} parameters", mode)
    if reader.take("WITHOUT", "CLUSTER"):
        return Action("SET WITHOUT CLUSTER", Mode.SHARE_UPDATE_EXCLUSIVE)
    if reader.take_any("LOGGED", "UNLOGGED", "TABLESPACE", "ACCESS METHOD"):
        return Action("SET LOGGED, TABLESPACE or ACCESS METHOD", work="rewrite")
    return Action("SET SCHEMA") if reader.take("SCHEMA") else None


def _parameters(reader: Reader) -> list[str]:
    return [Reader(part).name() for part in split_on_commas(reader.rest)]


def _other(reader: Reader, table: str) -> Action | None:
    if reader.take("VALIDATE", "CONSTRAINT"):
        keys = (Lock(table, Mode.ROW_SHARE, "references", reader.name()),)
        return Action("VALIDATE CONSTRAINT", Mode.SHARE_UPDATE_EXCLUSIVE, "scan", keys)
    if reader.take("CLUSTER", "ON"):
        return Action("CLUSTER ON", Mode.SHARE_UPDATE_EXCLUSIVE)
    if reader.take_any("ENABLE TRIGGER", "DISABLE TRIGGER"):
        return Action("ENABLE or DISABLE TRIGGER", Mode.SHARE_ROW_EXCLUSIVE)
    if reader.take_any("ENABLE ROW LEVEL SECURITY", "DISABLE ROW LEVEL SECURITY", "OWNER TO"):
        return Action("change of ownership or row security")
    return None
