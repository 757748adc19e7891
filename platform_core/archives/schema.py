"""Bring a plugin's tables to exactly the schema that an archive has."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.migration import Migration

from platform_core.registry.problems import PluginErrors, PluginProblem

Key = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaSteps:
    """The migrations from this database to the archive's schema, those of requirements included."""

    targets: tuple[Key, ...]
    plan: tuple[Migration, ...]

    @property
    def in_one_transaction(self) -> bool:
        """Whether none of them asks to run outside a transaction."""
        return all(migration.atomic for migration in self.plan)

    def apply(self) -> None:
        """Apply them; signals are not sent, so nothing is synchronised with a half-restored plugin."""
        MigrationExecutor(connection).migrate(list(self.targets))


def steps_to(slug: str, schema: tuple[str, ...]) -> SchemaSteps:
    """Return the steps to the archived ``schema``; raises PluginErrors when the installed wheel has another history."""
    executor = MigrationExecutor(connection)
    graph = executor.loader.graph
    replacing = {
        key: (slug, name)
        for (label, name), migration in executor.loader.disk_migrations.items()
        for key in map(tuple, migration.replaces)
        if label == slug and (slug, name) in graph.nodes
    }
    wanted: set[Key] = set()
    unknown = []
    for name in schema:
        key: Key = (slug, name)
        found = key if key in graph.nodes else replacing.get(key)
        if found is None:
            unknown.append(name)
        else:
            wanted.add(found)
    reached: set[Key] = set()
    for key in wanted:
        reached |= {one for one in graph.forwards_plan(key) if one[0] == slug}
    if unknown or reached != wanted:
        raise PluginErrors([_other_history(slug, unknown, sorted(reached - wanted))])
    leaves = tuple(
        sorted(
            key for key in wanted if not any(c.key in wanted for c in graph.node_map[key].children)
        )
    )
    plan = executor.migration_plan(list(leaves))
    return SchemaSteps(targets=leaves, plan=tuple(migration for migration, _ in plan))


def _other_history(slug: str, unknown: list[str], extra: list[Key]) -> PluginProblem:
    if unknown:
        message = (
            f"The installed version does not have the archive's migrations {', '.join(unknown)}."
        )
    else:
        names = ", ".join(name for _, name in extra)
        message = f"In the installed version the archive's migrations need others: {names}."
    return PluginProblem(
        plugin=slug,
        code="schema_unknown",
        place=f"{slug} migrations",
        message=message,
        way_out="Install the version that the archive was taken from, restore, then upgrade.",
    )
