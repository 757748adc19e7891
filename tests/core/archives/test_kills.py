"""``kill -9`` in the middle of uninstall and restore; all points are in ``python -m tests.drills.uninstall``."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.core.archives.conftest import Ground
from tests.core.archives.kills import (
    RESTORE_POINTS,
    UNINSTALL_POINTS,
    restore_after_a_kill,
    uninstall_after_a_kill,
)


@pytest.mark.parametrize("point", [UNINSTALL_POINTS[4]])
def test_a_killed_uninstall_loses_nothing(
    point: tuple[str, str], ground: Ground, tmp_path: Path
) -> None:
    uninstall_after_a_kill(ground, tmp_path / "site", point)


@pytest.mark.parametrize("point", [RESTORE_POINTS[1], RESTORE_POINTS[3]])
def test_a_killed_restore_is_completed_by_the_next(
    point: tuple[str, str], ground: Ground, tmp_path: Path
) -> None:
    restore_after_a_kill(ground, tmp_path / "site", point)
