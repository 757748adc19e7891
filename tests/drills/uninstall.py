"""Kill uninstall and restore at every point: ``python -m tests.drills.uninstall``; a planted fault is caught first."""

from __future__ import annotations

import dataclasses
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from platform_core.services import EmbeddedPostgres
from platform_core.testing.plugin import FAST_SETTINGS


def main() -> int:
    """Run the drill; 0 when nothing was lost."""
    with tempfile.TemporaryDirectory(prefix="platform-drill-") as name:
        folder = Path(name)
        server = EmbeddedPostgres(folder / "postgres", settings=FAST_SETTINGS)
        os.environ["DATABASE_URL"] = server.start().url()
        try:
            return drill(folder)
        finally:
            server.stop(mode="immediate")


def drill(folder: Path) -> int:
    """Catch the planted fault, then kill at every point and judge."""
    from tests.core.archives import conftest, kills

    with conftest.made_ground(folder / "ground") as ground:
        with conftest.copied_database(ground.before) as faulty:
            with psycopg.connect(faulty) as connection:
                connection.execute("DELETE FROM education_historicalstudent WHERE history_id = 1")
            planted = dataclasses.replace(ground, before=faulty)
            with pytest.raises(AssertionError, match="half removed"):
                kills.uninstall_after_a_kill(planted, folder / "planted", kills.UNINSTALL_POINTS[2])
        print("a planted loss of one history row: caught")
        rounds: list[tuple[Callable[..., None], tuple[str, str]]] = [
            *((kills.uninstall_after_a_kill, point) for point in kills.UNINSTALL_POINTS),
            *((kills.restore_after_a_kill, point) for point in kills.RESTORE_POINTS),
        ]
        for number, (judge, point) in enumerate(rounds):
            began = time.monotonic()
            judge(ground, folder / f"site-{number}", point)
            print(
                f"{judge.__name__} {point[1]} {point[0]}: nothing lost, {time.monotonic() - began:.0f} s"
            )
    print(f"{len(rounds)} kills, 0 losses")
    return 0


if __name__ == "__main__":
    sys.exit(main())
