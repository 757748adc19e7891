"""A served deployment without its database: refusals that say when to come back, and recovery without a restart."""

from __future__ import annotations

import os
import signal
import statistics
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from platform_core.conf.database import embedded_postgres
from tests.deployments import TestDeployment
from tests.served import Reply, owner_credentials, serve

REFUSED_WITHIN_S = 3.0
"""What a refusal takes at the median: single ones may wait for a busy machine, none for the pool's 30 s default."""
GIVEN_UP_AFTER_S = 60.0
OUTAGE_S = 8.0
UNITS = "/api/v1/identity/org-units/"
LOGIN = "/api/v1/identity/auth/app/v1/auth/login"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "deployment"
    made.mkdir(mode=0o700)
    TestDeployment(made, "").write(plugins=["identity"])
    return made


def timed(ask: Callable[[], Reply]) -> tuple[Reply, float]:
    started = time.monotonic()
    reply = ask()
    return reply, time.monotonic() - started


def is_a_promise_to_be_back(reply: Reply) -> bool:
    assert reply.status == 503, reply.body
    assert int(reply.headers["Retry-After"]) > 0
    assert reply.headers["Content-Type"] == "application/problem+json"
    assert reply.document["code"] == "unavailable"
    return True


def test_a_killed_database_is_a_503_and_comes_back_without_a_restart(folder: Path) -> None:
    server = embedded_postgres(folder / "var")
    with serve(folder) as served:
        email, password = owner_credentials(folder / "var")
        token = served.sign_in(email, password)
        credentials = {"email": email, "password": password}
        running = server.running()
        assert running is not None

        os.kill(running.pid, signal.SIGKILL)
        ended = time.monotonic() + OUTAGE_S
        waits: list[float] = []
        while time.monotonic() < ended:
            for ask in (
                lambda: served.request("GET", UNITS, token=token),
                lambda: served.request("POST", UNITS, {"name": "x"}, token=token),
                lambda: served.request("POST", LOGIN, credentials),
            ):
                reply, seconds = timed(ask)
                assert is_a_promise_to_be_back(reply)
                waits.append(seconds)
            assert served.request("GET", "/readyz").status == 503
            assert served.request("GET", "/livez").status == 200

        assert statistics.median(waits) < REFUSED_WITHIN_S

        server.start()
        back = time.monotonic()
        while (reply := served.request("GET", UNITS, token=token)).status != 200:
            assert time.monotonic() - back < GIVEN_UP_AFTER_S, reply.body
            time.sleep(0.2)
        assert served.request("POST", UNITS, {"name": "North"}, token=token).status == 201
        assert served.request("GET", "/readyz").status == 200

    logged = (folder / "var" / "logs" / "application.log").read_text()
    assert "database unavailable" in logged
    assert running.password not in logged
    assert password not in logged


def test_a_request_that_finds_no_free_connection_is_refused_in_time(folder: Path) -> None:
    server = embedded_postgres(folder / "var")
    with serve(
        folder,
        "--workers",
        "1",
        environment={"PLATFORM_DATABASE_POOL_SIZE": "1", "PLATFORM_DATABASE_LOCK_TIMEOUT": "0"},
    ) as served:
        token = served.sign_in(*owner_credentials(folder / "var"))
        running = server.running()
        assert running is not None
        replies: list[Reply] = []

        def ask() -> None:
            replies.append(served.request("GET", UNITS, token=token))

        blocked = threading.Thread(target=ask)
        with psycopg.connect(running.url()) as other:
            other.execute("LOCK TABLE identity_orgunit")
            blocked.start()
            while other.execute("SELECT count(*) FROM pg_locks WHERE NOT granted").fetchone() == (
                0,
            ):
                time.sleep(0.05)
            assert is_a_promise_to_be_back(served.request("GET", UNITS, token=token))
            other.rollback()
        blocked.join(timeout=10)

        assert [one.status for one in replies] == [200]
        assert served.request("GET", UNITS, token=token).status == 200
