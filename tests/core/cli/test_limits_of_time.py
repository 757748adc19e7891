"""No request holds its thread and its connection for good: what waits too long in the database is answered 503."""

from __future__ import annotations

import time
from pathlib import Path

import psycopg
import pytest

from platform_core.conf import build_settings
from platform_core.conf.database import embedded_postgres, limit_waiting
from tests.deployments import TestDeployment
from tests.served import owner_credentials, serve

UNITS = "/api/v1/identity/org-units/"
GIVEN_UP_AFTER_S = 20.0
"""Long enough for a busy machine, and shorter than the default that the test has to beat."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "deployment"
    made.mkdir(mode=0o700)
    TestDeployment(made, "").write(plugins=["identity"])
    return made


@pytest.mark.parametrize(
    ("lock_timeout", "statement_timeout"), [("1", "0"), ("0", "1")], ids=["lock", "statement"]
)
def test_a_request_that_waits_too_long_is_refused_with_a_time_to_come_back(
    folder: Path, lock_timeout: str, statement_timeout: str
) -> None:
    environment = {
        "PLATFORM_DATABASE_LOCK_TIMEOUT": lock_timeout,
        "PLATFORM_DATABASE_STATEMENT_TIMEOUT": statement_timeout,
    }
    with serve(folder, "--workers", "1", environment=environment) as served:
        token = served.sign_in(*owner_credentials(folder / "var"))
        running = embedded_postgres(folder / "var").running()
        assert running is not None
        with psycopg.connect(running.url()) as other:
            other.execute("LOCK TABLE identity_orgunit")
            for method, data in (("GET", None), ("POST", {"name": "North"})):
                started = time.monotonic()
                reply = served.request(method, UNITS, data, token=token)

                assert time.monotonic() - started < GIVEN_UP_AFTER_S
                assert reply.status == 503
                assert reply.document["code"] == "unavailable"
                assert int(reply.headers["Retry-After"]) > 0
            waiting = other.execute("SELECT count(*) FROM pg_locks WHERE NOT granted").fetchone()
            assert waiting == (0,)
            other.rollback()

        assert served.request("POST", UNITS, {"name": "North"}, token=token).status == 201


def test_only_what_serves_is_limited(folder: Path) -> None:
    database = build_settings(folder, profile="dev", environ={})["DATABASES"]["default"]
    assert "options" not in database["OPTIONS"]


def test_a_limit_of_the_address_comes_last_and_wins() -> None:
    options = {"options": "-c statement_timeout=90s"}
    limit_waiting(options, lock_s=5, statement_s=30)
    assert options["options"] == (
        "-c lock_timeout=5s -c statement_timeout=30s -c statement_timeout=90s"
    )


def test_zero_leaves_a_limit_to_the_server() -> None:
    options: dict[str, str] = {}
    limit_waiting(options, lock_s=0, statement_s=0)
    assert options == {}
