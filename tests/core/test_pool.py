"""The pool of connections: what is alive is handed out without a statement, and what is dead never."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from django.conf import settings
from django.db import connection, connections

from platform_core.postgresql.base import DatabaseWrapper, check_at_a_glance


@pytest.fixture
def pooled(transactional_db: None) -> Iterator[DatabaseWrapper]:
    """Return a database of its own with a pool of one connection."""
    options = {**connection.settings_dict["OPTIONS"], "pool": {"min_size": 1, "max_size": 1}}
    known = {**connection.settings_dict, "OPTIONS": options, "CONN_MAX_AGE": 0}
    made = DatabaseWrapper(known, "default")
    yield made
    made.close()
    made.close_pool()


def backend_of(database: DatabaseWrapper) -> int:
    with database.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        found: int = cursor.fetchone()[0]
    database.close()
    return found


def end(backend: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [backend])


def test_a_deployment_uses_this_backend() -> None:
    assert settings.DATABASES["default"]["ENGINE"] == "platform_core.postgresql"
    assert isinstance(connections["default"], DatabaseWrapper)


def test_a_connection_at_rest_is_handed_out_again(pooled: DatabaseWrapper) -> None:
    assert backend_of(pooled) == backend_of(pooled)


def test_a_connection_that_the_server_has_ended_is_replaced(pooled: DatabaseWrapper) -> None:
    first = backend_of(pooled)
    end(first)

    assert backend_of(pooled) not in (0, first)


def test_a_look_tells_a_dead_connection(pooled: DatabaseWrapper) -> None:
    pool = pooled.pool
    assert pool is not None
    pool.open()
    raw = pool.getconn()
    check_at_a_glance(raw)
    end(raw.info.backend_pid)
    with pytest.raises(psycopg.OperationalError):
        check_at_a_glance(raw)
    pool.putconn(raw)


def test_a_word_of_the_server_does_not_cost_the_connection(pooled: DatabaseWrapper) -> None:
    """A notification makes the socket readable, and the connection is as good as before."""
    pooled.ensure_connection()
    with pooled.cursor() as cursor:
        cursor.execute("LISTEN platform_word")
    first = backend_of(pooled)
    with connection.cursor() as cursor:
        cursor.execute("NOTIFY platform_word")

    assert backend_of(pooled) == first


def test_transactions_begin_and_end(pooled: DatabaseWrapper) -> None:
    with pooled.cursor() as cursor:
        cursor.execute("CREATE TABLE platform_pool_test (n integer)")
        pooled.set_autocommit(False)
        cursor.execute("INSERT INTO platform_pool_test VALUES (1)")
        pooled.rollback()
        pooled.set_autocommit(True)
        cursor.execute("SELECT count(*) FROM platform_pool_test")
        assert cursor.fetchone() == (0,)
        cursor.execute("DROP TABLE platform_pool_test")


def test_a_listener_connects_beside_the_pool(pooled: DatabaseWrapper) -> None:
    parameters = dict(pooled.parameters_beside_the_pool())
    for name in ("cursor_factory", "context", "pool"):
        parameters.pop(name, None)

    with psycopg.connect(**parameters, autocommit=True) as own:
        assert own.info.dbname == connection.settings_dict["NAME"]
