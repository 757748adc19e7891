"""A file that breaks off is seen to be cut by whoever reads it from a real server."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

from tests.deployments import TestDeployment, new_database
from tests.served import Served, owner_credentials, serve

ROWS = 120_000
EXPORT = "/api/v1/identity/org-units/export/"
_INSERT = """
WITH made AS (SELECT gen_random_uuid() AS id, n FROM generate_series(1, %s) AS n)
INSERT INTO identity_orgunit (id, created_at, updated_at, version, name, kind, path)
SELECT id, now(), now(), 1, repeat('n', 190) || n, '', ARRAY[id] FROM made
"""


@contextmanager
def exporting(served: Served, token: str, query: str = "") -> Iterator[Any]:
    """Begin an export and yield its answer, of which nothing is read yet."""
    connection = http.client.HTTPConnection(urlsplit(served.url).netloc, timeout=60)
    try:
        connection.request("GET", EXPORT + query, headers={"Authorization": f"Bearer {token}"})
        answer = connection.getresponse()
        assert answer.status == 200
        yield answer
    finally:
        connection.close()


def test_a_database_that_goes_away_breaks_the_transfer_and_not_the_server(tmp_path: Path) -> None:
    with new_database() as url:
        deployment = TestDeployment(tmp_path, url)
        deployment.write()
        with serve(tmp_path, environment={"DATABASE_URL": url}) as served:
            token = served.sign_in(*owner_credentials(tmp_path / "var"))
            with psycopg.connect(url, autocommit=True) as database:
                database.execute(_INSERT, [ROWS])
                for query in ("", "?format=xlsx"):
                    with exporting(served, token, query) as answer:
                        answer.read(1_000)
                        database.execute(
                            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                            " WHERE datname = current_database() AND xact_start IS NOT NULL"
                            " AND pid <> pg_backend_pid()"
                        )
                        with pytest.raises(http.client.IncompleteRead):
                            answer.read()
            with exporting(served, token, "?fields=id") as answer:
                assert len(answer.read().splitlines()) == ROWS + 1
