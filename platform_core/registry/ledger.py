"""Compare what the deployment loads with what its database knows."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache

from django.apps import apps
from django.conf import settings
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone

from platform_core.registry.code_migrations import code_migrations
from platform_core.registry.contents import Registry, installed
from platform_core.registry.problems import PluginProblem
from platform_core.registry.skew import Known, skew_between

Key = tuple[str, str]


def database_problems() -> list[PluginProblem]:
    """Return everything that keeps this process from being ready, each with its way out; DatabaseError without one.

    Web, worker and scheduler processes ask the same question: they are ready when database, ledger and the code that
    they have loaded agree. It takes four short queries, and is meant to be asked every few seconds.
    """
    applied = _applied()
    problems = [*_unlisted(applied), *migrations_ahead(applied), *_pending(applied)]
    return problems or skew_problems()


def blocking_problems() -> list[PluginProblem]:
    """Return what forbids to migrate or serve this database with this code."""
    applied = _applied()
    return [*_unlisted(applied), *migrations_ahead(applied)]


def pending_migrations() -> list[PluginProblem]:
    """Return a problem when migrations of loaded applications are not applied yet."""
    return _pending(_applied())


def core_pending() -> list[PluginProblem]:
    """Return a problem when migrations of the core itself are not applied yet: its own tables are not what it takes them for.

    Those of a plugin may wait, as they do where somebody takes a plugin out because they fail.
    """
    return _pending(_applied(), only="platform_core")


def skew_problems() -> list[PluginProblem]:
    """Return a problem for each plugin that this process has loaded otherwise than the database was synchronised.

    The tables have to be up to date.
    """
    registry = installed()
    recorded = _recorded()
    if _equal(registry, recorded):
        return []
    held = {one.slug for one in settings.PLATFORM.resolution.held_back}
    return skew_between(registry, recorded, started_at=_STARTED_AT, held_back=held)


def is_synchronised() -> bool:
    """Return whether the ledger was written by exactly these plugins, versions, states and contributions."""
    return _equal(installed(), _recorded())


_STARTED_AT = timezone.now()
"""When this process loaded its plugins, near enough: this module is imported at boot."""


def _recorded() -> dict[str, Known]:
    from platform_core.models import PluginRecord

    fields = ("slug", "version", "state", "digest", "contents_digest", "changed_at")
    return {slug: Known(*facts) for slug, *facts in PluginRecord.objects.values_list(*fields)}


def _equal(registry: Registry, recorded: Mapping[str, Known]) -> bool:
    digest = registry.digest()
    return all(
        plugin.slug in recorded and recorded[plugin.slug].digest == digest
        for plugin in registry.plugins
    )


def _applied() -> frozenset[Key]:
    return frozenset(MigrationRecorder(connection).applied_migrations())


def _unlisted(applied: Collection[Key]) -> list[PluginProblem]:
    """Return a problem for each plugin with tables in this database that is in neither list."""
    from platform_core.models import PluginRecord

    if ("platform_core", "0001_initial") not in applied:
        return []
    listed = settings.PLATFORM.resolution.listed
    # Old columns only: this is asked before the newer ones are migrated.
    rows = PluginRecord.objects.exclude(slug__in=listed).order_by("slug")
    return [
        PluginProblem(
            plugin=slug,
            code="unlisted_plugin",
            place=f"{distribution} {version}",
            message="It has tables in this database, but it is in neither list.",
            way_out="Restart this process: the lists may have changed since it started."
            if changed_at > _STARTED_AT
            else f'Add "{slug}" to PLATFORM_PLUGINS to use it, or to '
            "PLATFORM_DORMANT_PLUGINS to keep its data and switch it off.",
        )
        for slug, distribution, version, changed_at in rows.values_list(
            "slug", "distribution", "version", "changed_at"
        )
    ]


def migrations_ahead(applied: Iterable[Key]) -> list[PluginProblem]:
    """Return a problem for each loaded application of which ``applied`` has migrations that the code does not."""
    migrated, known = _on_disk()
    ahead: dict[str, list[str]] = {}
    for label, name in applied:
        if label in migrated and (label, name) not in known:
            ahead.setdefault(label, []).append(name)
    return [
        PluginProblem(
            plugin=label,
            code="database_newer",
            place=", ".join(sorted(names)),
            message="The database has migrations that the installed code does not have.",
            way_out="Install the version that wrote them, or a later one, or restore a backup.",
        )
        for label, names in sorted(ahead.items())
    ]


@lru_cache(maxsize=1)
def _on_disk() -> tuple[frozenset[str], frozenset[Key]]:
    """Return the labels with migrations and all migrations of the code, which do not change while it runs."""
    loader = code_migrations()
    labels = {config.label for config in apps.get_app_configs()} & loader.migrated_apps
    replaced = {(key[0], key[1]) for one in loader.disk_migrations.values() for key in one.replaces}
    return frozenset(labels), frozenset({*loader.disk_migrations, *replaced})


_complete: set[frozenset[Key]] = set()
"""The applied migrations with which nothing was pending: as long as they are the same, nothing is."""


def _pending(applied: frozenset[Key], *, only: str = "") -> list[PluginProblem]:
    if applied in _complete:
        return []
    loader = MigrationLoader(connection)
    pending = set(loader.graph.nodes) - set(loader.applied_migrations or ())
    if not pending:
        if _applied() == applied:  # else somebody migrated meanwhile
            _complete.clear()
            _complete.add(applied)
        return []
    pending = {key for key in pending if only in ("", key[0])}
    if not pending:
        return []
    return [
        PluginProblem(
            plugin="",
            code="migrations_pending",
            place=", ".join(sorted({label for label, _ in pending})),
            message=f"{len(pending)} migrations are not applied yet.",
            way_out="Run platformctl migrate.",
        )
    ]
