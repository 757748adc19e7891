"""The short form of the drill ``mail_kills``, in a process of its own: it forks others from a booted one."""

from __future__ import annotations

import subprocess
import sys

from tests.deployments import ROOT


def test_kills_lose_no_mail_and_repeats_carry_the_same_name() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.drills.mail_kills", "--mails", "40", "--kills", "5"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("planted: ") == 2
    assert "NOT SEEN" not in done.stdout
    assert done.stdout.rstrip().endswith("none lost")
