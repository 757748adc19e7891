"""Apply migrations app by app, so that the time grows with the number of plugins and no faster.

Django carries one state of all models through all migrations and copies and searches it at every operation: twice the
plugins take four times as long. An application without tables needs of that state only what its migrations depend on.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, partial
from importlib import import_module
from typing import Any

from django.apps import apps
from django.core.management.base import CommandError
from django.core.management.sql import emit_post_migrate_signal, emit_pre_migrate_signal
from django.db import connection
from django.db.migrations import Migration
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.state import ProjectState
from django.utils.module_loading import module_has_submodule
from django.utils.translation import override

Key = tuple[str, str]


def migrate() -> list[str]:
    """Apply all pending migrations and return them as ``label.name``, with the signals that Django sends around.

    Raises CommandError when two migrations of an application are both its last, and what Django raises when one fails:
    those before it stay applied.
    """
    with override(None), own_caches():
        _import_receivers()
        connection.prepare_database()
        executor = MigrationExecutor(connection)
        executor.loader.check_consistent_history(connection)
        _refuse_conflicts(executor)
        plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
        before = _state(executor, set(executor.loader.applied_migrations))
        signal: dict[str, Any] = {"verbosity": 0, "interactive": False, "db": connection.alias}
        emit_pre_migrate_signal(**signal, apps=before.apps, plan=plan)
        if plan:
            executor.recorder.ensure_schema()
        for part in parts(executor):
            _apply(executor, part)
        executor.check_replacements()
        after = executor.loader.project_state()
        emit_post_migrate_signal(**signal, apps=after.apps, plan=plan)
    return [f"{migration.app_label}.{migration.name}" for migration, _ in plan]


@contextmanager
def own_caches() -> Iterator[None]:
    """Let the registry of the real models, which does not change meanwhile, keep what it has worked out.

    Django's caches belong to the class, so every model that a state renders empties them, and every foreign key of a
    migration then walks all models of the deployment to see whether its target can be swapped.
    """
    names = ("get_models", "get_swappable_settings_name")
    for name in names:
        method = getattr(type(apps), name).__wrapped__
        setattr(apps, name, cache(partial(method, apps)))
    try:
        yield
    finally:
        for name in names:
            delattr(apps, name)


def _import_receivers() -> None:
    """Import each application's ``management``, as Django does: some connect their receivers there."""
    for config in apps.get_app_configs():
        if config.module is not None and module_has_submodule(config.module, "management"):
            import_module(f"{config.name}.management")


def _refuse_conflicts(executor: MigrationExecutor) -> None:
    for label, names in executor.loader.detect_conflicts().items():
        raise CommandError(
            f"Two migrations of {label} are both the last: {', '.join(sorted(names))}. Merge them."
        )


def parts(executor: MigrationExecutor) -> Iterator[list[Migration]]:
    """Yield what is pending, an application at a time and each after what it depends on.

    The caller enters each as applied before it asks for the next.
    """
    graph = executor.loader.graph
    while pending := executor.migration_plan(graph.leaf_nodes()):
        label = pending[0][0].app_label
        yield [migration for migration, _ in executor.migration_plan(graph.leaf_nodes(label))]


def _apply(executor: MigrationExecutor, part: list[Migration]) -> None:
    applied = executor.loader.applied_migrations
    state = state_before(executor, part)
    state.apps  # noqa: B018  (a cached property: the state is rendered once, then kept up to date)
    for migration in part:
        state = executor.apply_migration(state, migration)
        applied[migration.app_label, migration.name] = migration


def state_before(executor: MigrationExecutor, part: list[Migration]) -> ProjectState:
    """Return the state of the models that ``part`` begins with: those that it can touch."""
    return _state(executor, _needed(executor, part))


def _needed(executor: MigrationExecutor, part: list[Migration]) -> set[Key]:
    """Return the applied migrations whose models ``part`` can touch.

    Others may already refer to the models of an application that has tables, so that its change needs them all.
    """
    applied = set(executor.loader.applied_migrations)
    if {migration.app_label for migration in part} & {label for label, _ in applied}:
        return applied
    graph = executor.loader.graph
    return applied & {
        key
        for migration in part
        for key in graph.forwards_plan((migration.app_label, migration.name))
    }


def _state(executor: MigrationExecutor, keys: set[Key]) -> ProjectState:
    """Return the state of the models after the migrations ``keys``."""
    loader = executor.loader
    state = ProjectState(real_apps=loader.unmigrated_apps)
    for migration, _ in executor.migration_plan(loader.graph.leaf_nodes(), clean_start=True):
        if (migration.app_label, migration.name) in keys:
            migration.mutate_state(state, preserve=False)
    return state
