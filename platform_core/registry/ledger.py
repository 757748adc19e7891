"""Compare what the deployment loads with what its database knows."""

from __future__ import annotations

from django.apps import apps
from django.conf import settings
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from platform_core.registry.contents import installed
from platform_core.registry.problems import PluginProblem


def unlisted_plugins() -> list[PluginProblem]:
    """Return a problem for each plugin with tables in this database that is in neither list."""
    from platform_core.models import PluginRecord

    if PluginRecord._meta.db_table not in connection.introspection.table_names():
        return []
    listed = settings.PLATFORM.resolution.listed
    return [
        PluginProblem(
            plugin=record.slug,
            code="unlisted_plugin",
            place=f"{record.distribution} {record.version}",
            message="It has tables in this database, but it is in neither list.",
            way_out=f'Add "{record.slug}" to PLATFORM_PLUGINS to use it, or to '
            "PLATFORM_DORMANT_PLUGINS to keep its data and switch it off.",
        )
        for record in PluginRecord.objects.exclude(slug__in=listed).order_by("slug")
    ]


def newer_database() -> list[PluginProblem]:
    """Return a problem for each application whose database has migrations that the code does not."""
    loader = MigrationLoader(None)
    replaced = {
        tuple(key) for migration in loader.disk_migrations.values() for key in migration.replaces
    }
    known = set(loader.disk_migrations) | replaced
    labels = {config.label for config in apps.get_app_configs()}
    ahead: dict[str, list[str]] = {}
    for label, name in MigrationRecorder(connection).applied_migrations():
        if label in labels and label in loader.migrated_apps and (label, name) not in known:
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


def pending_migrations() -> list[PluginProblem]:
    """Return a problem when migrations of loaded applications are not applied yet."""
    loader = MigrationLoader(connection)
    pending = sorted(set(loader.graph.nodes) - set(loader.applied_migrations or ()))
    if not pending:
        return []
    labels = sorted({label for label, _ in pending})
    return [
        PluginProblem(
            plugin="",
            code="migrations_pending",
            place=", ".join(labels),
            message=f"{len(pending)} migrations are not applied yet.",
            way_out="Run platformctl migrate.",
        )
    ]


def blocking_problems() -> list[PluginProblem]:
    """Return what forbids to migrate or serve this database with this code."""
    return [*unlisted_plugins(), *newer_database()]


def database_problems() -> list[PluginProblem]:
    """Return everything that keeps the deployment from being ready."""
    return [*blocking_problems(), *pending_migrations()]


def is_synchronised() -> bool:
    """Return whether the ledger was written by exactly these plugins, versions, states and contributions."""
    from platform_core.models import PluginRecord

    digest = installed().digest()
    plugins = {plugin.slug for plugin in settings.PLATFORM.resolution.plugins}
    records = PluginRecord.objects.filter(slug__in=plugins, digest=digest)
    return records.count() == len(plugins)
