"""CPU of a first ``platformctl migrate`` of 50 and of 100 plugins."""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator

from tests.benchmarks.plugin_parts.ground import Goal, Ground

COUNTS = (50, 100)
ROUNDS = 2


def measure(ground: Ground, rounds: int) -> Iterator[Goal]:
    """Migrate empty databases in turn; the least CPU of each count."""
    cpu: dict[int, list[float]] = {count: [] for count in COUNTS}
    wall: dict[int, list[float]] = {count: [] for count in COUNTS}
    for _ in range(min(rounds, ROUNDS)):
        for count in COUNTS:
            with ground.deployment(count) as deployment:
                before, started = children_cpu(), time.monotonic()
                answer = deployment.call("migrate", "--json", timeout_s=600)
                assert answer.code == 0, answer.out
                cpu[count].append(children_cpu() - before)
                wall[count].append(time.monotonic() - started)
    for count in COUNTS:
        print(f"{count:3} plugins: {min(cpu[count]):6.1f} s of CPU, {min(wall[count]):6.1f} s")
    yield Goal("migrate: CPU, 100 plugins against 50", min(cpu[100]) / min(cpu[50]), 2.3)


def children_cpu() -> float:
    """Return the CPU seconds of all processes that this one has waited for."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
