"""How many jobs are enqueued, and run by one worker, in a second, beside plain transactions that write the same row."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from platform_core.services import EmbeddedPostgres
from tests.core.tasks.ground import playground
from tests.deployments import ROOT

JOBS = 3_000
WRITTEN, EACH, TOGETHER, RUN = (
    "rows written without a job",
    "jobs enqueued, one in a transaction",
    "jobs enqueued in one transaction",
    "jobs run, each writing a row",
)


def run(rounds: int) -> int:
    """Print jobs a second on a database that writes to disk; return 0."""
    with tempfile.TemporaryDirectory(prefix="platform-bench-") as name:
        folder = Path(name)
        server = EmbeddedPostgres(folder / "postgres")
        os.environ["DATABASE_URL"] = server.start().url()
        try:
            with playground(folder) as ground:
                environment = ground.deployment.environment(DJANGO_SETTINGS_MODULE="settings")
                best = {what: max(rates) for what, rates in _rounds(rounds, environment).items()}
        finally:
            server.stop(mode="immediate")
    for what, rate in best.items():
        print(f"{what:36} {rate:8.0f} a second   {rate / best[WRITTEN]:5.2f}")
    return 0


def _rounds(rounds: int, environment: Mapping[str, str]) -> dict[str, list[float]]:
    """Measure in a process that has the deployment loaded; it forks the worker."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.tasks", str(rounds)],
        cwd=ROOT,
        env=dict(environment),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    found: dict[str, list[float]] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def measure() -> None:
    """Print the rates of each round as one JSON document."""
    import logging

    import django

    django.setup()
    from django.db import connection, transaction
    from toys_plugin.models import Effect
    from toys_plugin.tasks import play

    from tests.drills.worker_farm import count_ended, start_worker

    logging.disable(logging.ERROR)
    found: dict[str, list[float]] = {WRITTEN: [], EACH: [], TOGETHER: [], RUN: []}

    def write() -> None:
        for number in range(JOBS):
            Effect.objects.create(job="none", what=str(number))

    def enqueue() -> None:
        for number in range(JOBS):
            play.enqueue(number)

    for _round in range(int(sys.argv[1])):
        before = count_ended()
        found[WRITTEN].append(_rate(write))
        found[EACH].append(_rate(enqueue))
        with transaction.atomic():
            found[TOGETHER].append(_rate(enqueue))
        connection.close()
        connection.close_pool()  # type: ignore[attr-defined]
        worker = start_worker()
        while count_ended() == before:  # its start is no work
            time.sleep(0.01)
        began, done = time.perf_counter(), count_ended()
        while count_ended() < before + 2 * JOBS:
            time.sleep(0.05)
        found[RUN].append((before + 2 * JOBS - done) / (time.perf_counter() - began))
        os.kill(worker, signal.SIGKILL)
        os.waitpid(worker, 0)
    print(json.dumps(found))


def _rate(work: Callable[[], None]) -> float:
    began = time.perf_counter()
    work()
    return JOBS / (time.perf_counter() - began)


if __name__ == "__main__":
    measure()
