"""What each plugin costs this deployment: to load, to answer requests, and on the disk."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.apps import apps
from django.db import connection
from django.db.models import Model
from simple_history.models import HistoricalChanges

from platform_core.observability.metrics import totals
from platform_core.registry.contents import installed
from platform_core.registry.costs import STAGES, loading_cost
from platform_core.registry.provenance import owned_apps

_SIZES = (
    "SELECT relname, reltuples::bigint, pg_total_relation_size(oid) FROM pg_class"
    " WHERE relkind IN ('r', 'p') AND relname = ANY(%s) AND pg_table_is_visible(oid)"
)


def plugin_costs(data_dir: Path) -> list[dict[str, Any]]:
    """Return a document for each loaded plugin, in load order.

    Seconds of loading are those of this process. Requests are those of the running server, or of the last one. Rows
    are PostgreSQL's estimate, None before a table was ever analysed; bytes include indexes.
    """
    answered = totals(data_dir)
    return [
        {
            "slug": plugin.slug,
            "state": plugin.state,
            "start": {stage: asdict(loading_cost(plugin.slug, stage)) for stage in STAGES},
            "requests": answered.get(plugin.slug),
            "tables": _tables(plugin.slug),
        }
        for plugin in installed().plugins
    ]


def _tables(label: str) -> list[dict[str, Any]]:
    return _sized(apps.get_app_config(label).get_models(include_auto_created=True))


def all_tables() -> list[dict[str, Any]]:
    """Return the tables of all loaded models with their owner, which is ``platform_core`` where no plugin brings them."""
    registry = installed()
    owners = {
        config.label: plugin.slug
        for plugin in registry.plugins
        for config in owned_apps(registry, plugin)
    }
    models = {model._meta.db_table: model for model in apps.get_models(include_auto_created=True)}
    return [
        {**one, "plugin": owners.get(models[one["name"]]._meta.app_label, "platform_core")}
        for one in _sized(models.values())
    ]


def _sized(models: Iterable[type[Model]]) -> list[dict[str, Any]]:
    history = {
        model._meta.db_table: issubclass(model, HistoricalChanges)
        for model in models
        if model._meta.managed and not model._meta.proxy
    }
    with connection.cursor() as cursor:
        cursor.execute(_SIZES, [list(history)])
        found = cursor.fetchall()
    return [
        {
            "name": name,
            "history": history[name],
            "rows_estimate": None if rows < 0 else rows,
            "bytes": size,
        }
        for name, rows, size in sorted(found)
    ]
