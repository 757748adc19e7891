"""The short form of the drill ``webhook_kills``, in a process of its own: it forks workers from a booted one."""

from __future__ import annotations

import subprocess
import sys

from tests.deployments import ROOT


def test_kills_of_workers_lose_no_webhook() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.drills.webhook_kills", "--events", "60", "--kills", "4"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "NOT SEEN" not in done.stdout
    assert done.stdout.rstrip().endswith("each arrived, none is lost")
