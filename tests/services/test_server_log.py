"""The embedded server's own log tells of the server, and nothing that statements and rows hold."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from platform_core.services import ServerInfo
from tests.services.ground import Ground, ask, postgres

WORD = "qzxvkjwhbtmp"
REFUSED = (
    f"INSERT INTO told VALUES ('{WORD}')",
    f"SELECT '{WORD}'::uuid",
    f"SELECT no_such_function('{WORD}')",
    f"DO $$ BEGIN RAISE EXCEPTION '{WORD}'; END $$",
)


def answers(info: ServerInfo) -> bool:
    try:
        return ask(info, "SELECT 1") == 1
    except psycopg.Error:  # it recovers
        return False


def wait_for(ready: Callable[[], bool]) -> None:
    ends = time.monotonic() + 60
    while not ready():
        assert time.monotonic() < ends
        time.sleep(0.1)


def log_of(folder: Path) -> str:
    return "".join(one.read_text() for one in (folder / "log").glob("*.log"))


def test_the_log_of_the_server_holds_no_values_and_still_tells_of_its_ends(own_ground: Ground) -> None:  # fmt: skip
    folder = own_ground.path / "postgres"
    server = postgres(folder)
    first = server.start()
    with psycopg.connect(first.url(), autocommit=True) as connection:
        connection.execute(f"CREATE TABLE told AS SELECT '{WORD}' AS code")
        connection.execute("CREATE UNIQUE INDEX told_once ON told (code)")
        for statement in REFUSED:
            with pytest.raises(psycopg.Error):
                connection.execute(statement)
        with pytest.raises(psycopg.Error):
            connection.execute("SELECT %s::int", [WORD])
        row = connection.execute("SELECT pg_backend_pid()").fetchone()
        assert row is not None
        os.kill(row[0], signal.SIGKILL)  # the server tells of its last statement otherwise
        with pytest.raises(psycopg.Error):
            connection.execute(f"SELECT '{WORD}'")
    wait_for(lambda: answers(first))
    server.stop()
    (folder / "role").unlink()  # as a server that was made before
    again = server.start()
    assert (again.password, ask(again, "SHOW log_min_messages")) == (first.password, "log")
    server.stop()

    told = log_of(folder)
    assert WORD not in told
    assert "ready to accept connections" in told
    assert "was terminated by signal 9" in told
