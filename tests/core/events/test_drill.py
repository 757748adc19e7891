"""The short form of the drill ``events``, in a process of its own: it forks others from a booted one."""

from __future__ import annotations

import subprocess
import sys

from tests.deployments import ROOT


def test_kills_neither_lose_nor_double_nor_disorder_events() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.drills.events", "--events", "400"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("planted: ") == 2
    assert "NOT SEEN" not in done.stdout
    assert done.stdout.rstrip().endswith("each applied once, in order")


def test_an_event_that_kills_its_processes_is_parked() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.drills.poison_events"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "planted: attempts are not counted: seen" in done.stdout
    assert done.stdout.rstrip().endswith("nobody waits for it")
