"""Tamper 10,000 times with a sealed audit trail: ``python -m tests.drills.audit_tampering``; a planted fault is caught first."""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from platform_core.services import EmbeddedPostgres
from platform_core.testing.plugin import FAST_SETTINGS


def main() -> int:
    """Run the drill; 0 when every tampering was found and its record named."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=10_000)
    options.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="platform-drill-") as name:
        folder = Path(name)
        server = EmbeddedPostgres(folder / "postgres", settings=FAST_SETTINGS)
        os.environ["DATABASE_URL"] = server.start().url()
        os.environ["PLATFORM_DATA_DIR"] = str(folder / "data")
        os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings.test"
        try:
            return drill(chosen.seed, chosen.rounds)
        finally:
            from django.db import connections

            connections.close_all()
            server.stop(mode="immediate")


def drill(seed: int, rounds: int) -> int:
    """Catch the planted fault, then tamper and count."""
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    print(f"seed {seed}")
    from tests.core.audit.tampering import make_trail, tamper
    from tests.core.audit.test_tampering import plant_a_blind_spot

    with pytest.MonkeyPatch.context() as patch:
        plant_a_blind_spot(patch)
        planted = on_a_copy(
            lambda: tamper(make_trail(random.Random(seed)), random.Random(seed), 60, "change_")
        )
    blind = [one for one in planted.missed if one.startswith("change_reason: nothing was found")]
    if not blind or len(blind) < len(planted.missed):
        print(f"The planted fault was not caught: {planted.missed}")
        return 1
    print(f"a verifier that skips a column: missed {len(blind)} of 60, and that was caught")
    began = time.monotonic()
    dice = random.Random(seed)
    tally = on_a_copy(lambda: tamper(make_trail(dice), dice, rounds))
    for name, tried in sorted(tally.tried.items()):
        print(f"  {tried:5} {name}")
    print("\n".join(tally.missed))
    seconds = time.monotonic() - began
    print(
        f"{rounds} tamperings in {len(tally.tried)} ways, {len(tally.missed)} missed, {seconds:.0f} s"
    )
    return 1 if tally.missed else 0


def on_a_copy(work: Callable[[], Any]) -> Any:
    """Do ``work`` on a copy of the database with a file of checkpoints of its own."""
    from django.conf import settings

    from platform_core.audit.checkpoints import checkpoint_file
    from platform_core.testing.contract.structure import scratch_database

    checkpoint_file(settings.PLATFORM.deployment).unlink(missing_ok=True)
    with scratch_database():
        return work()


if __name__ == "__main__":
    sys.exit(main())
