"""Every combination of enabled, dormant and absent plugins boots, migrates and passes the contract suite.

``python -m tests.drills.combinations``; ``--pairwise`` takes the few in which every two states meet.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from platform_core.services import EmbeddedPostgres
from platform_core.testing.plugin import FAST_SETTINGS
from tests.combinations import (
    REQUIRES,
    States,
    combinations,
    contract,
    expected_statuses,
    pairwise,
    statuses,
    use,
    write_migrations,
    write_strangers,
)
from tests.deployments import new_deployment

ALL = dict.fromkeys(REQUIRES, "enabled")
UNDECLARED = {"notices": '    email = models.EmailField(_("e-mail"), blank=True)'}
DANGLING = {
    "notices": '    thing = models.ForeignKey("clubs.Thing", models.SET_NULL, null=True, related_name="+")'
}


def main() -> int:
    """Run the drill; return 1 when a planted fault goes unseen or a combination fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairwise", action="store_true", help="a few combinations only")
    parser.add_argument("--jobs", type=int, default=2, help="combinations at a time")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="drill-", dir="/tmp") as name:
        folder = Path(name)
        server = EmbeddedPostgres(folder / "postgres", settings=FAST_SETTINGS)
        os.environ["DATABASE_URL"] = server.start().url()
        try:
            if not planted_faults_are_seen(folder):
                return 1
            chosen = pairwise() if options.pairwise else list(combinations())
            return drill(folder, chosen, options.jobs)
        finally:
            server.stop(mode="immediate")


def planted_faults_are_seen(folder: Path) -> bool:
    """Tell whether a column of undeclared personal data and a reference to what may be absent are both noticed."""
    plants: Sequence[tuple[str, Mapping[str, str], States]] = (
        ("notices.Thing.email", UNDECLARED, {**ALL, "education": "absent"}),
        ("clubs.Thing", DANGLING, {**ALL, "clubs": "absent", "trips": "absent"}),
    )
    seen = True
    for index, (told, fields, states) in enumerate(plants):
        home = folder / f"planted-{index}"
        write(home, fields)
        fault = judge(home / "site", home / "wheels", states, ["notices"])
        print(f"planted: {told}: {'seen' if told in fault else f'NOT SEEN: {fault}'}", flush=True)
        seen = seen and told in fault
    return seen


def write(home: Path, fields: Mapping[str, str] | None = None) -> None:
    """Write the strangers' plugins with their migrations below ``home``."""
    write_strangers(home / "wheels", fields=fields)
    with new_deployment(home / "making") as deployment:
        deployment.path.append(home / "wheels")
        write_migrations(deployment)


def judge(site: Path, wheels: Path, states: States, judged: Sequence[str] = ()) -> str:
    """Return what is wrong with a new deployment in ``states``, nothing when it works."""
    with new_deployment(site) as deployment:
        deployment.path.append(wheels)
        use(deployment, states)
        for command in ("migrate", "check"):
            answer = deployment.call(command, "--json", timeout_s=600)
            if answer.code != 0:
                return f"{command}: {answer.out or answer.err}"
        found, wanted = statuses(deployment), expected_statuses(states)
        if found != wanted:
            return f"answers {found}, not {wanted}"
        code, printed = contract(deployment, states, judged)
        return "" if code == 0 else printed


def drill(folder: Path, chosen: Sequence[States], jobs: int) -> int:
    """Judge the ``chosen`` combinations and print what became of each; return the exit code."""
    write(folder)
    begun = time.monotonic()

    def one(index: int) -> str:
        return judge(folder / f"site-{index}", folder / "wheels", chosen[index])

    failed = 0
    with ThreadPoolExecutor(jobs) as pool:
        for states, fault in zip(chosen, pool.map(one, range(len(chosen))), strict=True):
            failed += bool(fault)
            told = ", ".join(f"{slug} {state}" for slug, state in states.items())
            print(f"{'FAILED' if fault else 'passed'}: {told}", flush=True)
            if fault:
                print(fault, flush=True)
    seconds = time.monotonic() - begun
    print(f"{len(chosen)} combinations, {failed} failed, {seconds:.0f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
