"""Make the scheduled backups of a deployment that ``platformctl run`` serves, each in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import structlog

from platform_core.backups import listing
from platform_core.conf.deployment import CoreSettings, Deployment
from platform_core.tasks.ticking import latest_tick

log = structlog.get_logger("platform_core.backups")

LOOK_EVERY_S = 20
RETRY_AFTER_S = 3600
STOP_TIMEOUT_S = 20


def is_due(core: CoreSettings, folder: Path, now: datetime) -> bool:
    """Say whether the newest verified backup in ``folder`` is older than the last moment that the schedule names."""
    if core.backup_at is None:
        return False
    hour, minute = map(int, core.backup_at.split(":"))
    moment = latest_tick(f"{minute} {hour} * * *", ZoneInfo(core.time_zone), now)
    last = listing.last_verified(folder)
    return last is None or (moment is not None and last.made_at < moment)


class BackupSchedule:
    """Looks at the clock when it is asked to, starts ``platformctl db backup`` when one is due, and logs its outcome."""

    def __init__(self, deployment: Deployment, *, before_start: Callable[[], None]) -> None:
        """Take the deployment; ``before_start`` runs in the new process before the command does."""
        self._core = deployment.core
        self._folder = deployment.data_dir / listing.FOLDER
        self._before_start = before_start
        self._next_look = 0.0
        self._process: subprocess.Popen[str] | None = None
        self._said = tempfile.TemporaryFile(  # noqa: SIM115  (open as long as the schedule is)
            "w+", encoding="utf-8"
        )

    def tick(self) -> None:
        """Start, or report on, a backup; returns at once."""
        if self._process is not None:
            self._report(self._process)
        elif self._core.backup_at and time.monotonic() >= self._next_look:
            self._next_look = time.monotonic() + LOOK_EVERY_S
            if is_due(self._core, self._folder, datetime.now(UTC)):
                self._start()

    def stop(self) -> None:
        """End a backup that is being made; nothing of it appears."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(timeout=STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._said.close()

    def _start(self) -> None:
        self._said.seek(0)
        self._said.truncate()
        command = [sys.executable, "-m", "platform_core.cli", "db", "backup", "--json"]
        self._process = subprocess.Popen(  # noqa: S603  (our own interpreter and arguments)
            [*command, "--keep", str(self._core.backup_keep)],
            stdin=subprocess.DEVNULL,
            stdout=self._said,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
            preexec_fn=self._before_start,
        )

    def _report(self, process: subprocess.Popen[str]) -> None:
        code = process.poll()
        if code is None:
            return
        self._process = None
        self._said.seek(0)
        try:
            answer = json.loads(self._said.read())
        except ValueError:  # it was killed before it said anything
            answer = {}
        if code == 0 and answer.get("ok"):
            log.info("scheduled backup made", path=answer["path"], size=answer["size"])
            return
        self._next_look = time.monotonic() + RETRY_AFTER_S
        problems = [problem["message"] for problem in answer.get("problems", ())]
        log.error("scheduled backup failed", exit_code=code, problems=problems)
