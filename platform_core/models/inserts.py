"""New rows: a row and its history entry in one statement, whose text is built once for each set of columns."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from django.contrib.postgres.fields import ArrayField
from django.db import connections, models
from django.db.models import sql

from platform_core.models.history import history_columns, recorded_by
from platform_core.prepared import fetch_prepared

if TYPE_CHECKING:
    from platform_core.models.base import BaseModel

_MOST_STATEMENTS = 512
_OWN_PLACEHOLDER = ("get_placeholder", "get_placeholder_sql")


def insert_recorded(
    row: BaseModel,
    fields: Sequence[models.Field[Any, Any]],
    returned: Sequence[models.Field[Any, Any]],
    *,
    using: str,
) -> tuple[int, list[tuple[Any, ...]]] | None:
    """Insert ``row`` and record it; return its version, and one tuple of the columns ``returned``.

    ``None``, and nothing is done, where Django has to build the statement: for expressions, and for fields that write
    their own SQL.
    """
    model: Any = row._meta.concrete_model
    statement = _statement(model, tuple(fields), tuple(returned), using)
    if statement is None:
        return None
    connection = connections[using]
    values: list[Any] = []
    for field in fields:
        value = field.pre_save(row, True)
        if hasattr(value, "resolve_expression"):
            return None
        values.append(field.get_db_prep_save(value, connection))
    ((version, *rest),) = fetch_prepared(statement, [*values, *recorded_by("+")], using=using)
    return version, [tuple(rest)]


@lru_cache(_MOST_STATEMENTS)
def _statement(
    model: type[BaseModel],
    fields: tuple[models.Field[Any, Any], ...],
    returned: tuple[models.Field[Any, Any], ...],
    using: str,
) -> str | None:
    """Return Django's own INSERT, as a part of the statement that copies the row into its history too."""
    if not all(_is_plain(field) for field in fields):
        return None
    if any(field.get_db_converters(connections[using]) for field in returned):
        return None
    query = sql.InsertQuery(model)
    query.insert_values(fields, [model(**{field.attname: None for field in fields})], raw=True)
    ((insert, _params),) = query.get_compiler(using).as_sql()
    quote = connections[using].ops.quote_name
    table, target, source = history_columns(model, using)
    shown = ", ".join(quote(str(field.column)) for field in returned)
    version = quote(str(model._meta.get_field("version").column))
    return (
        f"WITH made AS ({insert} RETURNING *), kept AS "  # noqa: S608  # nosec B608  (names of the model)
        f"(INSERT INTO {table} ({target}) SELECT {source}, %s, %s, %s::uuid, %s, %s, "
        "clock_timestamp() FROM made) "
        f"SELECT {version}{', ' + shown if shown else ''} FROM made"
    )


def _is_plain(field: models.Field[Any, Any]) -> bool:
    """Tell whether what stands for the field's value in SQL is the same for every value."""
    if isinstance(field, ArrayField):
        return _is_plain(field.base_field)
    if isinstance(field, models.BinaryField):
        return True  # PostgreSQL has no placeholder of its own for bytes; Django asks for those that do
    return not any(hasattr(field, name) for name in _OWN_PLACEHOLDER)
