"""Tell of a database that is away: once when it goes, each minute while it is, and when it is back."""

from __future__ import annotations

import threading
import time
from typing import Any, Final

AGAIN_S: Final = 60.0


class Outage:
    """What the threads of a process know together of their database; ``who`` waits for it."""

    def __init__(self, log: Any, who: str) -> None:
        self._log, self._who = log, who
        self._lock = threading.Lock()
        self._since = 0.0
        self._told_at = 0.0

    def goes_on(self, during: str, error: BaseException) -> None:
        """Note that the database did not answer, and log it unless that was done a moment ago."""
        now = time.monotonic()
        with self._lock:
            if self._since and now - self._told_at < AGAIN_S:
                return
            self._since, self._told_at = self._since or now, now
            away_s = round(now - self._since)
        self._log.warning(
            f"{self._who} waits for the database",
            during=during,
            error=type(error).__name__,
            away_s=away_s,
        )

    def is_over(self) -> None:
        """Note that the database answers; logged when it was away."""
        if not self._since:
            return
        with self._lock:
            away_s, self._since = time.monotonic() - self._since if self._since else None, 0.0
        if away_s is not None:
            self._log.warning(f"{self._who} has its database again", away_s=round(away_s, 1))
