"""Workers that are forked from a process which has the deployment loaded, killed at random, and judged by what they did."""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import psycopg

CONCURRENCY = 4
WORKERS = 2
STUCK_AFTER_S = 120
OURS = "task_name IN ('toys.play', 'toys.play_freely')"
"""The jobs of the drill: the plugin has a schedule too."""


def main() -> None:
    """Enqueue jobs, kill workers while they run them, and print what came of it as one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, required=True)
    parser.add_argument("--kills", type=int, required=True)
    parser.add_argument("--task", default="play")
    parser.add_argument("--pause", type=float, default=0.02)
    parser.add_argument("--engine", default="")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--stuck", type=float, default=STUCK_AFTER_S)
    options = parser.parse_args()
    random.seed(options.seed)
    import django

    django.setup()
    if options.engine:
        from django.conf import settings

        settings.TASKS["default"]["OPTIONS"] = {"engine": options.engine}
    enqueue(options.task, options.jobs, options.pause)
    started = time.monotonic()
    kills = run(options.jobs, options.kills, options.stuck)
    seconds = time.monotonic() - started
    print(json.dumps({"kills": kills, "seconds": seconds, **judged(options.jobs)}))


def enqueue(name: str, jobs: int, pause: float) -> None:
    """Enqueue jobs, each with a pause of its own, and leave no connection to those that are forked."""
    from django.db import connection, transaction
    from toys_plugin import tasks

    with transaction.atomic():
        for number in range(jobs):
            getattr(tasks, name).enqueue(number, pause=random.uniform(0, pause))
    connection.close()
    if hasattr(connection, "close_pool"):
        connection.close_pool()


def run(jobs: int, kills: int, stuck_after_s: float) -> int:
    """Keep workers running until no job is left, killing one after each so many jobs; return how many were killed."""
    return kill_until(count_ended, jobs, kills, stuck_after_s=stuck_after_s)


def kill_until(
    count_done: Callable[[], int],
    goal: int,
    kills: int,
    *,
    stuck_after_s: float,
    is_over: Callable[[], bool] = lambda: True,
) -> int:
    """Keep workers running until ``goal`` is done and it is over, or nothing moves; return how many were killed.

    One is killed after each so many that are done, and another takes its place.
    """
    every = max(1, goal // (kills + 1))
    killed, workers = 0, [start_worker() for _ in range(WORKERS)]
    done, last_change = 0, time.monotonic()
    try:
        while (done < goal or not is_over()) and time.monotonic() < last_change + stuck_after_s:
            now = count_done()
            if now != done:
                done, last_change = now, time.monotonic()
            if killed < kills and done >= (killed + 1) * every:
                victim = workers.pop(random.randrange(len(workers)))
                os.kill(victim, signal.SIGKILL)
                os.waitpid(victim, 0)
                killed += 1
                workers.append(start_worker())
            else:
                time.sleep(0.02)
    finally:
        for pid in workers:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
    return killed


def start_worker() -> int:
    """Fork a worker and return its process id."""
    pid = os.fork()
    if pid:
        return pid
    try:
        from platform_core.tasks.working import work

        work(threading.Event(), concurrency=CONCURRENCY)
    finally:
        os._exit(1)


@contextmanager
def database() -> Iterator[psycopg.Connection[Any]]:
    """Open a connection of the judge's own."""
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        yield connection


def count_ended() -> int:
    """Return how many jobs of the plugin have ended."""
    with database() as connection:
        row = connection.execute(
            "SELECT count(*) FROM procrastinate_jobs "
            f"WHERE {OURS} AND status NOT IN ('todo', 'doing')"
        ).fetchone()
    return int(row[0]) if row else 0


def judged(jobs: int) -> dict[str, Any]:
    """Return how many jobs are lost or doubled in effect, and how often jobs had to run again."""
    with database() as connection:
        effects = dict(
            connection.execute(
                "SELECT job::bigint, count(*) FROM toys_effect WHERE job <> 'tick' GROUP BY 1"
            ).fetchall()
        )
        states: Sequence[tuple[int, str, int]] = connection.execute(
            f"SELECT id, status::text, attempts FROM procrastinate_jobs WHERE {OURS}"
        ).fetchall()
    return {
        "jobs": len(states),
        "missing": jobs - len(states),
        "not_ended": sum(status in ("todo", "doing") for _, status, _ in states),
        "failed": sum(status == "failed" for _, status, _ in states),
        "lost": sum(
            status not in ("todo", "doing") and effects.get(job, 0) == 0
            for job, status, _ in states
        ),
        "doubled": sum(count > 1 for count in effects.values()),
        "run_again": sum(attempts > 1 for _, _, attempts in states),
    }


if __name__ == "__main__":
    sys.exit(main())
