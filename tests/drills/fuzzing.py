"""Ask everything that is described in every way schemathesis knows, as three personas, after it found planted faults."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from platform_core.services import EmbeddedPostgres
from platform_core.testing.plugin import FAST_SETTINGS

PERSONAS = ("anonymous", "viewer", "admin")
OF_ITS_STARTER = "/operations/{operation_id}/file/"
"""What nobody but the person who has started an operation may read."""


def planted_faults() -> list[str]:
    """Return the planted faults that were not found."""
    from tests.fuzzing.fuzz import fuzz
    from tests.fuzzing.planted import FAULTS, chosen_for, with_fault

    missed = []
    for name, (resource, phase, check) in FAULTS.items():
        with with_fault(resource) as document:
            outcome = fuzz(
                document, "admin", examples=120, phases=(phase,), chosen=chosen_for(phase)
            )
        found = check in {told for _operation, told in outcome.faults}
        print(f"planted: {name}: {'found' if found else 'NOT FOUND'}", flush=True)
        if not found:
            missed.append(name)
    return missed


def run(examples: int, personas: Sequence[str], part: str) -> int:
    """Fuzz the paths that contain ``part`` as each persona, print what each operation answered, and return the exit code."""
    from tests.access.operations import document
    from tests.access.test_table import NOBODY_REACHES
    from tests.fuzzing.fuzz import Outcome, described_operations, fuzz

    described = document()
    everything = Outcome()
    for persona in personas:
        started = time.monotonic()
        outcome = fuzz(described, persona, examples=examples, chosen=lambda path: part in path)
        everything.add(outcome)
        took = time.monotonic() - started
        print(
            f"{persona}: {outcome.requests} requests in {took:.0f} s, {len(outcome.faults)} faults",
            flush=True,
        )
    if part in OF_ITS_STARTER:
        everything.add(
            fuzz(
                described,
                "owner",
                examples=examples,
                chosen=lambda path: path.endswith(OF_ITS_STARTER),
            )
        )
    operations = [one for one in described_operations(described) if part in one]
    for operation in operations:
        counts = sorted(everything.statuses[operation].items())
        print(f"{operation}  {'  '.join(f'{status}×{count}' for status, count in counts)}")
    never = {operation.replace(" ", f" /api/v1/{slug}/") for slug, operation in NOBODY_REACHES}
    missed = sorted(set(operations) - everything.reached() - never)
    for fault in everything.faults.values():
        print(f"FAULT: {fault}")
    print(
        f"{everything.requests} requests to {len(operations)} operations, {len(everything.faults)} faults, "
        f"not reached with 2xx: {', '.join(missed) or 'none'}"
    )
    return 1 if everything.faults or missed else 0


def main() -> int:
    """Run the drill and return its exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=10)
    parser.add_argument("--persona", action="append", choices=PERSONAS, dest="personas")
    parser.add_argument("--part", default="/", help="what the paths to ask contain")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="drill-", dir="/tmp") as name:
        folder = Path(name)
        server = EmbeddedPostgres(folder / "postgres", settings=FAST_SETTINGS)
        os.environ["DATABASE_URL"] = server.start().url()
        os.environ["PLATFORM_DATA_DIR"] = str(folder / "data")
        os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings.test"
        try:
            return _with_database(options.examples, options.personas or PERSONAS, options.part)
        finally:
            server.stop()


def _with_database(examples: int, personas: Sequence[str], part: str) -> int:
    import django

    django.setup()
    from django.db import transaction
    from django.test.utils import setup_databases, setup_test_environment

    setup_test_environment()
    setup_databases(verbosity=0, interactive=False)
    with transaction.atomic():
        return 1 if planted_faults() else run(examples, personas, part)


if __name__ == "__main__":
    sys.exit(main())
