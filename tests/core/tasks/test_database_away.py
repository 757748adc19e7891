"""A worker whose database stops waits for it, goes on by itself, loses and doubles nothing, and ends when it is asked to."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from platform_core.services import EmbeddedPostgres
from tests.core.tasks.ground import Ground, playground, until

JOBS = 24
AWAY_S = 5
"""Longer than a worker may be silent in this deployment."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedPostgres]:
    """Return a server that may be stopped; what it acknowledges survives its own end."""
    found = EmbeddedPostgres(tmp_path / "postgres", settings={"fsync": "off"})
    yield found
    found.stop(mode="immediate")


def lines(ground: Ground) -> list[dict[str, Any]]:
    log = ground.deployment.folder / "var" / "logs" / "application.log"
    return [json.loads(line) for line in log.read_text().splitlines()]


def events(ground: Ground) -> list[str]:
    return [str(line["event"]) for line in lines(ground)]


def ended(ground: Ground) -> int:
    return int(
        ground.query(
            "SELECT count(*) FROM procrastinate_jobs WHERE starts_with(task_name, 'toys.play') AND status = 'succeeded'"
        )[0][0]
    )


def is_heard(ground: Ground) -> bool:
    """Tell whether the worker listens for new jobs."""
    listening = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND starts_with(query, 'LISTEN')"
    return bool(ground.query(listening))


def test_a_worker_waits_for_its_database_and_loses_and_doubles_nothing(
    tmp_path: Path, server: EmbeddedPostgres
) -> None:
    with playground(tmp_path, database_url=server.start().url()) as ground:
        ground.run(f"for number in range({JOBS}): tasks.play.enqueue(number, pause=0.3)")
        with ground.worker() as process:
            until(lambda: ended(ground) > 2)
            until(lambda: is_heard(ground), what="listening")
            assert not [line for line in lines(ground) if line["level"] != "info"]
            server.stop(mode="immediate")
            until(lambda: "worker waits for the database" in events(ground))
            time.sleep(AWAY_S)
            assert process.poll() is None
            server.start()
            until(lambda: ended(ground) == JOBS)
            until(lambda: "worker has its database again" in events(ground))
            until(lambda: "delivery of events has its database again" in events(ground))
            assert ground.query(
                "SELECT count(*), count(DISTINCT job) FROM toys_effect WHERE job <> 'tick'"
            ) == [(JOBS, JOBS)]
            until(lambda: is_heard(ground))
            told = lines(ground)
            assert not [line for line in told if "exception" in line]
            waiting = [line for line in told if "waits for the database" in str(line["event"])]
            assert len(waiting) <= 6, waiting
            reasons = [line for line in told if line["logger"] == "psycopg.pool"]
            assert 1 <= len(reasons) <= 4, reasons

            count = events(ground).count("worker waits for the database")
            server.stop(mode="immediate")
            until(lambda: events(ground).count("worker waits for the database") > count)
            began = time.monotonic()
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=60) == 0
            assert time.monotonic() - began < 20
            server.start()
