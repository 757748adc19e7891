"""Statements that every request sends: prepared once a connection, with values bound by the server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import psycopg
from django.db import DatabaseError, OperationalError, connections
from psycopg.types.datetime import TimestamptzLoader

if TYPE_CHECKING:
    from django.db.backends.utils import CursorWrapper

Params = Sequence[Any] | Mapping[str, Any]
_KEPT = "_platform_cursor"


def fetch_prepared(sql: str, params: Params, *, using: str = "default") -> list[tuple[Any, ...]]:
    """Return the rows of a statement that returns some and whose columns need no conversion; write ``%s`` for values.

    Values are bound by the server, which plans the text once and not for each call; Django writes them into the text.
    Raises what Django's own cursor does, and OperationalError when a migration has changed the columns under a running
    process: the next call prepares the statement anew.
    """
    rows: list[tuple[Any, ...]] = _executed(sql, params, using).fetchall()
    return rows


def execute_prepared(sql: str, params: Params, *, using: str = "default") -> None:
    """Run a statement that returns no rows, as ``fetch_prepared`` runs one that does."""
    _executed(sql, params, using)


def _executed(sql: str, params: Params, using: str) -> CursorWrapper:
    cursor = _cursor(using)
    try:
        cursor.execute(sql, params)
    except DatabaseError as error:
        if isinstance(error.__cause__, psycopg.errors.FeatureNotSupported):
            connections[
                using
            ].connection.close()  # with all that it has prepared, not back into a pool
            connections[using].close()
            raise OperationalError("The columns of a prepared statement have changed.") from error
        raise
    return cursor


def can_be_prepared(sql: str, params: Params, *, using: str) -> bool:
    """Tell whether the server understands the statement with values apart from it; their types may be unclear then."""
    connection = connections[using]
    connection.ensure_connection()
    raw: Any = connection.connection
    try:
        with raw.transaction():
            psycopg.Cursor(raw).execute(f"EXPLAIN {sql}", params)
    except psycopg.ProgrammingError:
        return False
    return True


def _cursor(using: str) -> CursorWrapper:
    """Return the connection's one cursor of this kind, as counted and logged as all others.

    Making a cursor costs more than a statement. Whoever has it takes all rows before anybody else can.
    """
    connection: Any = connections[using]
    connection.ensure_connection()
    raw = connection.connection
    cursor = getattr(raw, _KEPT, None)
    if cursor is None:
        cursor = psycopg.Cursor(raw)
        # Django decodes timestamps in Python, which costs more than all else on a page; its connection is in UTC, so
        # the decoder in C gives the same instants.
        cursor.adapters.register_loader("timestamptz", TimestamptzLoader)
        setattr(raw, _KEPT, cursor)
    found: CursorWrapper = connection._prepare_cursor(cursor)
    return found
