"""Statements that the server keeps: counted and logged as all others, and gone when a migration changes what they read."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import DataError, OperationalError, connection, transaction

from platform_core.prepared import can_be_prepared, fetch_prepared

KEPT = "SELECT count(*) FROM pg_prepared_statements WHERE statement = %s"


def elsewhere(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)
    connection.close()


@pytest.mark.django_db
def test_a_statement_that_is_sent_often_is_kept_by_the_server(
    django_assert_num_queries: Any,
) -> None:
    text = f"SELECT {uuid.uuid4().int % 10**9}"
    with django_assert_num_queries(5):
        for _turn in range(5):
            assert len(fetch_prepared(text, [])) == 1
    with connection.cursor() as cursor:
        cursor.execute(KEPT, [text])
        assert cursor.fetchone() == (1,)


@pytest.mark.django_db
def test_values_are_never_a_part_of_the_text() -> None:
    odd = "'; DROP TABLE x; -- %s \\ é"
    assert fetch_prepared("SELECT %s::text, %s::uuid", [odd, None]) == [(odd, None)]


@pytest.mark.django_db
def test_errors_are_djangos() -> None:
    with pytest.raises(DataError), transaction.atomic():
        fetch_prepared("SELECT 1 / %s", [0])
    assert fetch_prepared("SELECT 1", []) == [(1,)]


@pytest.mark.django_db
def test_what_the_server_cannot_type_is_not_prepared() -> None:
    assert can_be_prepared("SELECT 1 WHERE %s = 1", [1], using="default")
    assert not can_be_prepared("SELECT 1 WHERE 'a'::text = %s", [1], using="default")
    assert fetch_prepared("SELECT 2", []) == [(2,)], "the transaction goes on"


@pytest.mark.django_db(transaction=True)
def test_a_changed_column_costs_one_call() -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE prepared_drill (a integer)")
    try:
        for _turn in range(5):
            assert fetch_prepared("SELECT a FROM prepared_drill", []) == []
        with ThreadPoolExecutor() as others:  # on a connection of their own
            others.submit(elsewhere, "ALTER TABLE prepared_drill ALTER a TYPE text").result()
        with pytest.raises(OperationalError):
            fetch_prepared("SELECT a FROM prepared_drill", [])
        assert fetch_prepared("SELECT a FROM prepared_drill", []) == []
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE prepared_drill")
