"""The files by which a server's processes add up their metrics: emptied at a start, unless somebody still serves."""

from __future__ import annotations

import fcntl
from pathlib import Path

import pytest

from platform_core.observability import metrics


@pytest.fixture
def left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that another server has left; the process's own environment is put back."""
    monkeypatch.setenv(metrics.FOLDER_VARIABLE, "")
    monkeypatch.setattr(metrics, "_leases", [])
    found = tmp_path / "metrics" / "counter_7.db"
    found.parent.mkdir()
    found.write_bytes(b"")
    return found


def test_what_a_server_of_the_past_left_is_removed(tmp_path: Path, left: Path) -> None:
    metrics.share_metrics(tmp_path)

    assert not left.exists()


def test_the_numbers_of_a_server_that_still_serves_stay(tmp_path: Path, left: Path) -> None:
    with (tmp_path / "metrics.lease").open("w") as lease:
        fcntl.flock(lease, fcntl.LOCK_SH)
        metrics.share_metrics(tmp_path)

    assert left.exists()


def test_a_folder_that_the_operator_chose_is_left_alone(
    tmp_path: Path, left: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(metrics.FOLDER_VARIABLE, str(tmp_path / "elsewhere"))

    metrics.share_metrics(tmp_path)

    assert left.exists()


def test_nothing_was_counted_where_nothing_served(tmp_path: Path) -> None:
    assert metrics.totals(tmp_path) == {}
