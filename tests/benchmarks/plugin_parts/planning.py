"""How long ``platformctl plugin plan`` takes beside ``platformctl check``, with 100 plugins."""

from __future__ import annotations

import time
from collections.abc import Iterator

from tests.benchmarks.plugin_parts.ground import Goal, Ground
from tests.benchmarks.plugin_parts.migration import children_cpu
from tests.benchmarks.synthetic import slugs

COMMANDS = {"check": ("check",), "plan": ("plugin", "plan", "--enable", slugs(100)[-1])}


def measure(ground: Ground, rounds: int) -> Iterator[Goal]:
    """Call both in turn on a migrated deployment; the least time of each."""
    wall: dict[str, list[float]] = {name: [] for name in COMMANDS}
    cpu: dict[str, list[float]] = {name: [] for name in COMMANDS}
    with ground.deployment(99) as deployment:
        answer = deployment.call("migrate", "--json", timeout_s=600)
        assert answer.code == 0, answer.out
        for _ in range(rounds):
            for name, words in COMMANDS.items():
                before, started = children_cpu(), time.monotonic()
                answer = deployment.call(*words, "--json")
                assert answer.code == 0, answer.out
                wall[name].append(time.monotonic() - started)
                cpu[name].append(children_cpu() - before)
    for name in COMMANDS:
        print(f"{name:8}{min(wall[name]):6.2f} s, {min(cpu[name]):6.2f} s of CPU")
    yield Goal("plan: time, against check", min(wall["plan"]) / min(wall["check"]), 2.0)
