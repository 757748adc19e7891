"""``kill -9`` in the middle of uninstall and restore; all points are in ``python -m tests.drills.uninstall``."""

from __future__ import annotations

from pathlib import Path

from tests.core.archives.conftest import Ground
from tests.core.archives.kills import (
    RESTORE_POINTS,
    UNINSTALL_POINTS,
    restore_after_a_kill,
    uninstall_after_a_kill,
)


def test_an_uninstall_killed_before_its_commit_loses_nothing(
    ground: Ground, tmp_path: Path
) -> None:
    uninstall_after_a_kill(ground, tmp_path / "site", UNINSTALL_POINTS[4], and_restore=False)


def test_a_restore_killed_after_its_commit_is_completed_by_the_next(
    ground: Ground, tmp_path: Path
) -> None:
    restore_after_a_kill(ground, tmp_path / "site", RESTORE_POINTS[3])
