"""Reads rows as tuples for the fast road, with psycopg's own decoder for timestamps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.exceptions import EmptyResultSet
from django.db import connections
from psycopg.types.datetime import TimestamptzLoader

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from django.db.models import QuerySet


def fetch(queryset: QuerySet[Any, Any]) -> Sequence[tuple[Any, ...]]:
    """Return the rows of a ``values_list`` query of distinct columns.

    Django decodes timestamps in Python, which costs more than all else on a page; its connection is in UTC, so
    the decoder in C gives the same instants.
    """
    compiler: Any = queryset.query.get_compiler(queryset.db)
    try:
        sql, params = compiler.as_sql()
    except EmptyResultSet:
        return []
    with connections[queryset.db].cursor() as cursor:
        inner: Any = cursor.cursor
        inner.adapters.register_loader("timestamptz", TimestamptzLoader)
        cursor.execute(sql, params)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    converters = compiler.get_converters([selected[0] for selected in compiler.select])
    return list(compiler.apply_converters(rows, converters)) if converters else rows


def batches(queryset: QuerySet[Any, Any], size: int) -> Iterator[Sequence[tuple[Any, ...]]]:
    """Yield the rows of a ``values_list`` query of distinct columns, ``size`` at a time, by a cursor of the server.

    Only one batch is held here, and all are of one snapshot. A transaction has to be open.
    """
    compiler: Any = queryset.query.get_compiler(queryset.db)
    try:
        sql, params = compiler.as_sql()
    except EmptyResultSet:
        return
    converters = compiler.get_converters([selected[0] for selected in compiler.select])
    connection: Any = connections[queryset.db]
    with connection.chunked_cursor() as cursor:
        cursor.cursor.adapters.register_loader("timestamptz", TimestamptzLoader)
        cursor.execute(sql, params)
        while rows := cursor.fetchmany(size):
            yield list(compiler.apply_converters(rows, converters)) if converters else rows
