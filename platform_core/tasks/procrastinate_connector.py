"""How procrastinate's statements run: at once, on Django's connection, in the caller's transaction."""

from __future__ import annotations

import json
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from django.db import IntegrityError
from procrastinate import exceptions
from procrastinate.contrib.django.django_connector import DjangoConnector
from psycopg.errors import UniqueViolation

T = TypeVar("T")


class RowConnector(DjangoConnector):
    """Runs procrastinate's statements at once, on Django's connection of this thread and in its transaction."""

    # Errors stay those of Django, which the rest of the platform knows how to answer; only a taken key is told apart.

    def execute_query(self, query: Any, **arguments: Any) -> None:
        """Run a statement."""
        with _taken_keys_told(), self.connection.cursor() as cursor:
            cursor.execute(query, self._wrap_json(arguments))

    def execute_query_one(self, query: Any, **arguments: Any) -> dict[str, Any]:
        """Return the first row."""
        return self.execute_query_all(query, **arguments)[0]

    def execute_query_all(self, query: Any, **arguments: Any) -> list[dict[str, Any]]:
        """Return all rows."""
        with _taken_keys_told(), self.connection.cursor() as cursor:
            cursor.execute(query, self._wrap_json(arguments))
            return list(self._dictfetch(cursor))

    async def execute_query_async(self, query: Any, **arguments: Any) -> None:
        """Run a statement, without waiting for anything."""
        self.execute_query(query, **arguments)

    async def execute_query_one_async(self, query: Any, **arguments: Any) -> dict[str, Any]:
        """Return the first row, without waiting for anything."""
        return self.execute_query_one(query, **arguments)

    async def execute_query_all_async(self, query: Any, **arguments: Any) -> list[dict[str, Any]]:
        """Return all rows, without waiting for anything."""
        return self.execute_query_all(query, **arguments)

    def _dictfetch(self, cursor: Any) -> Iterator[dict[str, Any]]:
        for row in super()._dictfetch(cursor):
            if isinstance(row.get("args"), str):  # Django leaves JSON to its fields
                row["args"] = json.loads(row["args"])
            yield row


@contextmanager
def _taken_keys_told() -> Iterator[None]:
    try:
        yield
    except IntegrityError as error:
        if not isinstance(error.__cause__, UniqueViolation):
            raise
        name = error.__cause__.diag.constraint_name
        raise exceptions.UniqueViolation(constraint_name=name, queueing_lock=None) from error


def now(coroutine: Coroutine[Any, Any, T]) -> T:
    """Return what a coroutine that never waits returns."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]
    raise RuntimeError("The coroutine waited for something.")
