"""CPU of a request to the last plugin, when there is one and when there are a hundred."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

from tests.benchmarks.plugin_parts.ground import Goal, Ground
from tests.benchmarks.synthetic import slugs

COUNTS = (1, 100)
BLOCK = 200
BLOCKS_A_ROUND = 8


def measure(ground: Ground, rounds: int) -> Iterator[Goal]:
    """Send blocks of requests in turn; the least CPU of each count."""
    blocks: dict[int, list[float]] = {count: [] for count in COUNTS}
    with ExitStack() as stack:
        processes = {}
        for count in COUNTS:
            deployment = stack.enter_context(ground.deployment(count))
            answer = deployment.call("migrate", "--json", timeout_s=600)
            assert answer.code == 0, answer.out
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.benchmarks.probe", slugs(count)[-1]],
                cwd=deployment.folder,
                env=deployment.environment(DJANGO_SETTINGS_MODULE="settings"),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            processes[count] = stack.enter_context(process)
            _read(process)
            _read(process)
        for turn in range(rounds * BLOCKS_A_ROUND):
            for count in COUNTS if turn % 2 else reversed(COUNTS):
                process = processes[count]
                assert process.stdin is not None
                process.stdin.write(f"{BLOCK}\n")
                process.stdin.flush()
                blocks[count].append(_read(process)["cpu_us"])
    for count in COUNTS:
        print(f"{count:3} plugins: {min(blocks[count]):7.0f} µs of CPU a list")
    yield Goal("requests: CPU, 100 plugins against 1", min(blocks[100]) / min(blocks[1]), 1.05)


def _read(process: subprocess.Popen[str]) -> Any:
    assert process.stdout is not None
    return json.loads(process.stdout.readline())
