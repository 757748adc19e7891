"""Lists that no index serves in their order: PostgreSQL is asked, for it knows partial, descending and expression indexes."""

from __future__ import annotations

from collections.abc import Container, Iterator
from typing import Any

from django.db import connection, transaction
from django.db.models import Model

from platform_core.registry.contents import installed
from platform_core.resource import Resource
from platform_core.resource.declared import keyset_of

LEAST_ROWS = 1_000
"""A table of fewer rows is sorted in a moment."""


def unserved_orders(tables: Container[str]) -> list[dict[str, Any]]:
    """Return each resource on one of ``tables`` whose rows, a thousand and more, are sorted whole for every page."""
    entries = [
        entry
        for entry in installed().entries["resources"]
        if entry.item.model._meta.db_table in tables
    ]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_sort = off; SET LOCAL enable_seqscan = off")
        return [
            {
                "plugin": entry.owner,
                "resource": entry.key,
                "ordering": entry.item.ordering,
                "table": entry.item.model._meta.db_table,
            }
            for entry in entries
            if _has_many_rows(entry.item.model) and _is_sorted(cursor, entry.item)
        ]


def _has_many_rows(model: type[Model]) -> bool:
    rows = model._base_manager.order_by().values_list("pk")
    return rows[LEAST_ROWS - 1 : LEAST_ROWS].exists()


def _is_sorted(cursor: Any, resource: type[Resource]) -> bool:
    keyset = keyset_of(resource, resource.ordering)
    page = resource.model._default_manager.order_by(*keyset.order_by()).values_list("pk")[:25]
    statement, values = page.query.sql_with_params()
    cursor.execute(f"EXPLAIN (FORMAT JSON) {statement}", values)
    ((plan,),) = cursor.fetchall()
    return "Sort" in _nodes(plan[0]["Plan"])


def _nodes(plan: dict[str, Any]) -> Iterator[str]:
    """Yield the kinds of a plan's nodes; an *Incremental Sort* finishes what an index has begun, and is none."""
    yield plan["Node Type"]
    for part in plan.get("Plans", ()):
        yield from _nodes(part)
