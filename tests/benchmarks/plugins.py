"""``make bench ARGS=plugins``: what 1, 10, 50 and 100 synthetic plugins cost; 1 when a goal is missed."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from platform_core.services import EmbeddedPostgres
from tests.benchmarks.plugin_parts import memory, migration, planning, requests, starting
from tests.benchmarks.plugin_parts.ground import Goal, Ground
from tests.benchmarks.synthetic import write_plugins

MOST = 100
_SERVER_SETTINGS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


Part = Callable[[Ground, int], Iterator[Goal]]
PARTS: dict[str, Part] = {
    "start": starting.measure,
    "requests": requests.measure,
    "migrate": migration.measure,
    "memory": memory.measure,
    "plan": planning.measure,
}


def run(parts: Sequence[str], rounds: int) -> int:
    """Measure ``parts`` (all when empty), print a line for each goal, and return the exit code."""
    goals: list[Goal] = []
    with ground() as made:
        for name in parts or PARTS:
            print(f"\n{name}\n", flush=True)
            for goal in PARTS[name](made, rounds):
                goals.append(goal)
    print(f"\n{'goal':58}{'ratio':>8}{'bound':>8}")
    for goal in goals:
        print(
            f"{goal.name:58}{goal.value:8.2f}{goal.bound:8.2f}   {'PASS' if goal.met else 'FAIL'}"
        )
    return 0 if all(goal.met for goal in goals) else 1


@contextmanager
def ground() -> Iterator[Ground]:
    """Start a server and write the plugins; both are gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="platform-bench-"))
    server = EmbeddedPostgres(folder / "postgres", settings=_SERVER_SETTINGS)
    try:
        os.environ["DATABASE_URL"] = server.start().url()
        yield Ground(folder=folder, plugins=write_plugins(folder / "written", MOST))
    finally:
        server.stop(mode="immediate")
        shutil.rmtree(folder, ignore_errors=True)
