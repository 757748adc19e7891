"""Kill the embedded server 200 times under writes: no acknowledged write is lost, no history torn, each start repairs."""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import psycopg

from tests.drills.killing import Outcome, change, remember, run_kills

PLANTED_KILLS = 12
LAZY = {"synchronous_commit": "off", "wal_writer_delay": "10s"}
"""A server that acknowledges before the log is written: what its memory held at a kill is lost."""


def write_early(
    connection: psycopg.Connection, client: int, number: int, account: int, done: Callable[[], None]
) -> None:
    """Acknowledge before the commit: wrong, and to be found."""
    with connection.transaction():
        change(connection, client, number, account)
        remember(connection, client, number, account)
        done()


def write_apart(
    connection: psycopg.Connection, client: int, number: int, account: int, done: Callable[[], None]
) -> None:
    """Write the history in a transaction of its own: wrong, and to be found."""
    with connection.transaction():
        change(connection, client, number, account)
    with connection.transaction():
        remember(connection, client, number, account)
    done()


def planted_faults(folder: Path) -> dict[str, Outcome]:
    """Return what the drill says of three deployments that are wrong, each in a way of its own."""
    return {
        "commits that are not waited for": run_kills(
            _new(folder), PLANTED_KILLS, settings=LAZY, stop_at_fault=True
        ),
        "acknowledged before the commit": run_kills(
            _new(folder), PLANTED_KILLS, writing=write_early, stop_at_fault=True
        ),
        "history in another transaction": run_kills(
            _new(folder), PLANTED_KILLS, clients=1, writing=write_apart, stop_at_fault=True
        ),
    }


def main() -> int:
    """Run the drill; return 1 when a planted fault goes unseen or a real one is found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))  # noqa: S311
    options = parser.parse_args()
    random.seed(options.seed)
    print(f"seed {options.seed}")
    with tempfile.TemporaryDirectory(prefix="drill-", dir="/tmp") as name:
        for title, outcome in planted_faults(Path(name)).items():
            seen = outcome.faults[0] if outcome.faults else "NOT SEEN"
            print(f"planted: {title}: after {outcome.kills} kills: {seen}", flush=True)
            if not outcome.faults:
                return 1
        outcome = run_kills(_new(Path(name)), options.kills, told=_tell)
    print(
        f"{outcome.kills} kills, {outcome.acknowledged} acknowledged writes, next start ready after"
        f" {statistics.median(outcome.recovery_s):.2f} s (median), {max(outcome.recovery_s):.2f} s (most)"
    )
    for fault in outcome.faults:
        print(f"FAULT: {fault}")
    print("nothing lost, nothing torn" if not outcome.faults else "FAILED")
    return 1 if outcome.faults else 0


def _new(folder: Path) -> Path:
    return Path(tempfile.mkdtemp(dir=folder))


def _tell(outcome: Outcome) -> None:
    if outcome.kills % 20 == 0:
        print(f"  {outcome.kills} kills, {outcome.acknowledged} acknowledged writes", flush=True)


if __name__ == "__main__":
    sys.exit(main())
