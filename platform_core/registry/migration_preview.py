"""What ``migrate`` would do to this database: each pending migration with its SQL, locks and risk."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.db import connection
from django.db.migrations import RunPython, RunSQL
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.migration import Migration
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState

from platform_core.registry.lock_modes import Lock, Risk, StatementLocks, risk_of
from platform_core.registry.lock_targets import Catalogue, Target, find_targets
from platform_core.registry.locks import classify
from platform_core.registry.migrating import own_caches, parts, state_before
from platform_core.registry.statements import split_statements

RISKS: tuple[Risk, ...] = ("none", "low", "medium", "high", "unknown")


def pending_migrations() -> list[dict[str, Any]]:
    """Return the migrations that are not applied, in the order in which ``migrate`` applies them; nothing is changed."""
    executor = MigrationExecutor(connection)
    found: list[dict[str, Any]] = []
    if not executor.migration_plan(executor.loader.graph.leaf_nodes()):
        return found
    with own_caches(), connection.cursor() as cursor:
        tables = Tables(Catalogue(cursor))
        for part in parts(executor):
            state = state_before(executor, part)
            for migration in part:
                description, state = _preview(migration, state, tables)
                found.append(description)
                executor.loader.applied_migrations[migration.app_label, migration.name] = migration
    return found


def _preview(
    migration: Migration, state: ProjectState, tables: Tables
) -> tuple[dict[str, Any], ProjectState]:
    """Return what the migration would do, and the state of the models after it."""
    statements: list[dict[str, Any]] = []
    hidden = ""
    before = state.clone()
    try:
        with connection.schema_editor(collect_sql=True, atomic=migration.atomic) as editor:
            state = migration.apply(state, editor, collect_sql=True)
    except ValueError as error:  # it looks up what an earlier migration of this plan would make
        hidden = f"Its SQL can be told only after the migrations before it: {error}."
        state = migration.mutate_state(before, preserve=False)
    else:
        for text in _without_comments(editor.collected_sql):
            statements += [tables.describe(statement) for statement in split_statements(text)]
    description = {
        "app": migration.app_label,
        "name": migration.name,
        "atomic": migration.atomic,
        "operations": list(_operations(migration)),
        "statements": statements,
        "hidden": hidden,
        "risk": _highest(migration, statements, hidden),
    }
    return description, state


class Tables:
    """What the statements so far have made or renamed, so that the locks of later ones are judged rightly."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self.made: set[str] = set()
        self.renamed: dict[str, str] = {}
        self.indexed: dict[str, str] = {}

    def describe(self, statement: str) -> dict[str, Any]:
        """Return the statement with its locks and risk, and remember what it makes or renames."""
        found = classify(statement)
        locks = [self._on_table(lock) for lock in found.locks]
        targets = find_targets(self.catalogue, locks, renamed=self.renamed)
        described = [
            {
                "table": target.table,
                "mode": target.mode.label,
                "blocks": target.mode.blocks if self._is_old(target, found) else "nothing",
                "existing": self._is_old(target, found),
                "rows_estimate": self.catalogue.estimated_rows(target.table),
            }
            for target in targets
        ]
        old = [target.mode for target in targets if self._is_old(target, found)]
        risk = risk_of(max(old, default=None), found.work, known=found.known)
        self._remember(found)
        return {
            "sql": statement,
            "kind": found.kind,
            "known": found.known,
            "work": found.work,
            "locks": described,
            "risk": risk,
        }

    def _on_table(self, lock: Lock) -> Lock:
        """Return the lock on the table of an index that this plan makes, other locks as they are."""
        if lock.reach == "index" and lock.relation in self.indexed:
            return Lock(self.indexed[lock.relation], lock.mode)
        return lock

    def _is_old(self, target: Target, found: StatementLocks) -> bool:
        """Tell whether others can know the table: it stands in the database, or was not made by this plan."""
        return target.exists or target.table not in self.made | {found.creates}

    def _remember(self, found: StatementLocks) -> None:
        if found.creates:
            self.made.add(found.creates)
        if found.indexes:
            name, table = found.indexes
            self.indexed[name] = table
        if found.renames:
            old, new = found.renames
            if old in self.made:
                self.made.add(new)
            else:
                self.renamed[new] = self.renamed.get(old, old)


def _without_comments(texts: Sequence[str]) -> Iterator[str]:
    return (text for text in texts if not text.lstrip().startswith("--"))


def _operations(migration: Migration) -> Iterator[dict[str, str]]:
    for operation in _flat(migration.operations):
        kind = type(operation).__name__
        yield {"kind": kind, "description": " ".join(str(operation.describe()).split())}


def _flat(operations: Sequence[Operation]) -> Iterator[Operation]:
    """Yield the operations, those inside others too."""
    for operation in operations:
        yield operation
        yield from _flat(getattr(operation, "database_operations", ()) or ())


def _highest(migration: Migration, statements: Sequence[dict[str, Any]], hidden: str) -> Risk:
    """Return the highest risk of the statements; code that runs or SQL that is not shown is unknown."""
    if hidden or any(isinstance(one, RunPython) for one in _flat(migration.operations)):
        return "unknown"
    if any(isinstance(one, RunSQL) for one in _flat(migration.operations)) and not statements:
        return "unknown"
    return max((one["risk"] for one in statements), key=RISKS.index, default="none")
