"""Log files: every line once and whole, from several processes at once, through rotations and in any text."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import structlog
from django.conf import settings

from platform_core.observability.logging import (
    REQUEST_LOGGER,
    JSONLines,
    RequestLog,
    _as_json,
    logging_settings,
)
from platform_core.observability.rotation import RotatingLog

WRITER = """
import logging, sys
from platform_core.observability.rotation import RotatingLog
name, path, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
log = logging.Logger(name)
log.addHandler(RotatingLog(path, maxBytes=20_000, backupCount=50, encoding="utf-8", delay=True))
for number in range(count):
    log.warning("%s %d %s", name, number, "x" * (number % 200))
"""


def lines_of(folder: Path) -> list[str]:
    files = [one for one in folder.glob("some.log*") if not one.name.endswith(".lock")]
    return [line for one in files for line in one.read_text().splitlines()]


def test_processes_lose_and_mix_no_line_while_the_file_is_rotated(tmp_path: Path) -> None:
    count, names = 300, ("a", "b", "c")
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, name, tmp_path / "some.log", str(count)])
        for name in names
    ]
    assert [one.wait() for one in writers] == [0, 0, 0]
    found = lines_of(tmp_path)
    expected = {f"{name} {n} {'x' * (n % 200)}" for name in names for n in range(count)}
    assert set(found) == expected
    assert len(found) == len(expected)
    files = [one for one in tmp_path.glob("some.log.*") if one.suffix[1:].isdigit()]
    assert files, "the file was never rotated"
    assert max(one.stat().st_size for one in files) < 21_000


def test_a_file_that_was_moved_away_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "some.log"
    log = logging.getLogger("tests.moved")
    log.addHandler(RotatingLog(str(path), maxBytes=20_000, backupCount=2, delay=True))
    log.warning("first")
    log.warning("second")
    path.rename(tmp_path / "some.log.moved")
    log.warning("third")
    assert path.read_text() == "third\n"
    assert (tmp_path / "some.log.moved").read_text() == "first\nsecond\n"


@pytest.mark.parametrize("value", ["é\n", "\ud800", 2**70, {"a": {1, 2}}, b"bytes"])
def test_whatever_is_logged_is_one_line_of_json(value: object) -> None:
    line = _as_json({"event": value}, default=repr)
    assert "\n" not in line
    assert list(json.loads(line)) == ["event"]


def test_a_request_is_told_as_any_other_line_is() -> None:
    """The short way that each request goes writes what the long one would."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    formatter = logging_settings(settings.PLATFORM.deployment, profile="test")["formatters"]["json"]
    handler.setFormatter(
        JSONLines(
            processors=formatter["processors"], foreign_pre_chain=formatter["foreign_pre_chain"]
        )
    )
    logger = logging.getLogger(REQUEST_LOGGER)
    logger.addHandler(handler)
    facts = {"method": "GET", "path": "/é/\ud800", "status": 200, "milliseconds": 1.25}
    try:
        RequestLog().write("abcdefgh", **facts, plugin="education")
        with structlog.contextvars.bound_contextvars(request_id="abcdefgh"):
            structlog.get_logger(REQUEST_LOGGER).info("request", **facts, plugin="education")
    finally:
        logger.removeHandler(handler)

    short, long = (json.loads(line) for line in stream.getvalue().splitlines())
    moments = [datetime.fromisoformat(one.pop("timestamp")) for one in (short, long)]
    assert short == long
    assert timedelta() <= moments[1] - moments[0] < timedelta(minutes=1)
