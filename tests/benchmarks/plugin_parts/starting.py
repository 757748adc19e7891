"""CPU and memory of a start, by the number of plugins."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack

from tests.benchmarks.plugin_parts.ground import Goal, Ground
from tests.deployments import TestDeployment

COUNTS = (0, 1, 10, 50, 100)
STARTS_A_ROUND = 3
"""A slope is a difference of small numbers: it takes more starts than a ratio until the least of each is its own cost."""
NOT_LISTED = "0, and 100 installed but not listed"


def measure(ground: Ground, rounds: int) -> Iterator[Goal]:
    """Start processes in turn; the least CPU and the median memory of each count."""
    cpu: dict[str, list[float]] = {}
    memory: dict[str, list[float]] = {}
    with ExitStack() as stack:
        contenders = {
            **{
                str(count): stack.enter_context(ground.deployment(count, installed=count > 0))
                for count in COUNTS
            },
            NOT_LISTED: stack.enter_context(ground.deployment(0)),
        }
        for turn in range(-1, rounds * STARTS_A_ROUND):
            # Whoever goes next finds other caches: take turns at that too.
            for name in contenders if turn % 2 else reversed(contenders):
                facts = _start(contenders[name])
                if turn >= 0:  # the first one compiles the modules
                    cpu.setdefault(name, []).append(facts["cpu_s"])
                    memory.setdefault(name, []).append(facts["pss_kib"] / 1024)
    print(f"{'plugins beside identity':38}{'CPU s':>8}{'MiB':>8}")
    least = {name: min(found) for name, found in cpu.items()}
    middle = {name: statistics.median(found) for name, found in memory.items()}
    for name in contenders:
        print(f"{name:38}{least[name]:8.2f}{middle[name]:8.1f}")
    for title, found in (("start: CPU", least), ("start: memory", middle)):
        early, late = _slope(found, 1, 50), _slope(found, 50, 100)
        yield Goal(f"{title} per plugin, 50 to 100 against 1 to 50", late / early, 1.3)
    yield Goal("start: CPU, 100 plugins against none", least["100"] / least["0"], 3.0)
    for title, found, spread in (
        ("CPU", least, max(cpu["0"]) - min(cpu["0"])),
        ("memory", middle, max(memory["0"]) - min(memory["0"])),
    ):
        one = (found[NOT_LISTED] - found["0"]) / 100
        noise = max(spread, 0.001 * found["0"])
        yield Goal(f"start: {title} of one not listed, against the noise", one / noise, 1.0)


def _slope(found: dict[str, float], low: int, high: int) -> float:
    return (found[str(high)] - found[str(low)]) / (high - low)


def _start(deployment: TestDeployment) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.probe"],
        cwd=deployment.folder,
        env=deployment.environment(DJANGO_SETTINGS_MODULE="settings"),
        check=True,
        capture_output=True,
        text=True,
    )
    facts: dict[str, float] = json.loads(done.stdout)
    return facts
