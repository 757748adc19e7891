"""Kill workers 200 times over 10,000 jobs: none is lost, and none is doubled in effect."""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from platform_core.services import EmbeddedPostgres
from tests.core.tasks.ground import playground
from tests.deployments import ROOT

FAULTS = "tests.drills.worker_faults"
PLANTED: Mapping[str, tuple[str, ...]] = {
    "acknowledged before it runs": ("--engine", f"{FAULTS}.AcknowledgesFirst"),
    "effect outside the transaction": ("--task", "play_freely"),
    "nobody looks after the dead": ("--engine", f"{FAULTS}.ForgetsTheDead", "--stuck", "20"),
}
PLANTED_KILLS = 12
PLANTED_JOBS = 250


def outcome(folder: Path, jobs: int, kills: int, *options: str, pause: float) -> dict[str, Any]:
    """Return what came of so many jobs under so many kills, in a deployment of its own."""
    with playground(folder, stalled_after_s=1) as ground:
        done = subprocess.run(
            [
                *(sys.executable, "-m", "tests.drills.worker_farm"),
                *("--jobs", str(jobs), "--kills", str(kills), "--pause", str(pause)),
                *("--seed", str(random.randrange(1 << 32)), *options),
            ],
            cwd=ROOT,
            env=ground.deployment.environment(DJANGO_SETTINGS_MODULE="settings"),
            stdout=subprocess.PIPE,
            stderr=(folder / "workers.log").open("w"),
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError((folder / "workers.log").read_text()[-3000:])
        found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
        return found


def faults_in(found: Mapping[str, Any]) -> list[str]:
    """Return a sentence for everything that must not be."""
    wrong = ("missing", "not_ended", "failed", "lost", "doubled")
    return [f"{found[name]} jobs {name.replace('_', ' ')}" for name in wrong if found[name]]


def main() -> int:
    """Run the drill; return 1 when a planted fault goes unseen or a real one is found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--jobs", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))  # noqa: S311
    options = parser.parse_args()
    random.seed(options.seed)
    print(f"seed {options.seed}")
    with tempfile.TemporaryDirectory(prefix="drill-", dir="/tmp") as name:
        folder = Path(name)
        server = EmbeddedPostgres(folder / "postgres")
        os.environ["DATABASE_URL"] = server.start().url()
        try:
            for index, (title, words) in enumerate(PLANTED.items()):
                place = folder / f"planted-{index}"
                place.mkdir()
                found = outcome(place, PLANTED_JOBS, PLANTED_KILLS, *words, pause=0.2)
                seen = faults_in(found)
                told = seen[0] if seen else "NOT SEEN"
                print(f"planted: {title}: after {found['kills']} kills: {told}", flush=True)
                if not seen:
                    return 1
            place = folder / "real"
            place.mkdir()
            found = outcome(place, options.jobs, options.kills, pause=0.02)
        finally:
            server.stop(mode="immediate")
    wrong = faults_in(found)
    print(
        f"{found['kills']} kills, {found['jobs']} jobs in {found['seconds']:.0f} s, "
        f"{found['run_again']} of them run again"
    )
    for fault in wrong:
        print(f"FAULT: {fault}")
    print("none lost, none doubled in effect" if not wrong else "FAILED")
    return 1 if wrong or found["kills"] < options.kills else 0


if __name__ == "__main__":
    sys.exit(main())
