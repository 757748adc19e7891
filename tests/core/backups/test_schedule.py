"""When a scheduled backup is due, and what tells that it was not made."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.conf import settings

from platform_core.backups import listing
from platform_core.cli.schedule import is_due
from platform_core.conf.deployment import CoreSettings
from platform_core.observability.health import check_health

NOW = datetime(2026, 6, 10, 12, 0, tzinfo=UTC)  # 14:00 in Paris


def core(at: str | None) -> CoreSettings:
    return CoreSettings(backup_at=at, time_zone="Europe/Paris")


def put(folder: Path, moment: datetime, *, verified: bool = True) -> None:
    (folder / listing.backup_name(moment, verified=verified)).touch()


@pytest.mark.parametrize(
    ("at", "last", "due"),
    [
        ("13:59", datetime(2026, 6, 10, 11, 58, tzinfo=UTC), True),
        ("13:59", datetime(2026, 6, 10, 11, 59, tzinfo=UTC), False),
        ("14:01", datetime(2026, 6, 9, 12, 1, tzinfo=UTC), False),
        ("14:01", datetime(2026, 6, 9, 12, 0, tzinfo=UTC), True),
        (None, datetime(2020, 1, 1, tzinfo=UTC), False),
    ],
)
def test_a_backup_is_due_when_none_is_younger_than_the_last_moment_of_the_schedule(
    tmp_path: Path, at: str | None, last: datetime, due: bool
) -> None:
    put(tmp_path, last)
    assert is_due(core(at), tmp_path, NOW) is due


def test_a_first_backup_is_due_at_once_and_an_unverified_one_does_not_count(tmp_path: Path) -> None:
    assert is_due(core("02:30"), tmp_path, NOW)
    put(tmp_path, NOW, verified=False)
    assert is_due(core("02:30"), tmp_path, NOW)


def test_an_hour_that_the_clock_skips_is_still_due_once(tmp_path: Path) -> None:
    skipped = datetime(2026, 3, 29, 1, 30, tzinfo=UTC)  # 02:30 does not exist on this day in Paris
    put(tmp_path, skipped - timedelta(hours=24))
    assert is_due(core("02:30"), tmp_path, skipped + timedelta(minutes=31))
    put(tmp_path, skipped + timedelta(minutes=31))
    assert not is_due(core("02:30"), tmp_path, skipped + timedelta(hours=3))


@pytest.mark.parametrize("value", ["2:30", "24:00", "02:60", "noon", ""])
def test_a_time_that_is_none_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="backup_at"):
        core(value)


def test_only_two_missed_periods_are_overdue(tmp_path: Path) -> None:
    assert "no verified backup" in listing.overdue(tmp_path, NOW)
    put(tmp_path, NOW - timedelta(hours=49))
    put(tmp_path, NOW - timedelta(hours=1), verified=False)
    assert "49 hours old" in listing.overdue(tmp_path, NOW)
    put(tmp_path, NOW - timedelta(hours=48))
    assert listing.overdue(tmp_path, NOW) == ""


@pytest.mark.django_db
def test_readiness_tells_a_missed_schedule_and_stays_ready(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert "backup" not in {check.name for check in check_health()}
    scheduled = {"backup_at": "02:30", "data_dir": tmp_path}
    deployment = settings.PLATFORM.deployment
    changed = type(deployment)(folder=tmp_path, core=deployment.core.model_copy(update=scheduled))
    monkeypatch.setattr(
        settings,
        "PLATFORM",
        type(settings.PLATFORM)(
            deployment=changed,
            resolution=settings.PLATFORM.resolution,
            candidates=settings.PLATFORM.candidates,
            profile="test",
        ),
    )
    (missed,) = [check for check in check_health() if check.name == "backup"]
    assert (missed.healthy, missed.critical) == (False, False)
    (tmp_path / listing.FOLDER).mkdir()
    put(tmp_path / listing.FOLDER, datetime.now(UTC))
    (kept,) = [check for check in check_health() if check.name == "backup"]
    assert kept.healthy
