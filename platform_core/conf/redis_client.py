"""The Redis client of the cache: after a failure it leaves the server alone for a while."""

from __future__ import annotations

import logging
import time
from functools import cache
from typing import Any

import redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

logger = logging.getLogger("platform_core.conf")

AWAY_S = 5.0
"""How long nothing is sent to a server that failed: a request would wait for each of its commands."""


class Absence:
    """Whether a server failed a moment ago; one for all connections of a process."""

    def __init__(self) -> None:
        self._until = 0.0

    @property
    def lasts(self) -> bool:
        """Tell whether the server is to be left alone still."""
        return time.monotonic() < self._until

    def begin(self, error: Exception) -> None:
        """Leave the server alone from now on, and say so once."""
        if not self.lasts:
            logger.warning("Redis is away, the cache does without: %s", type(error).__name__)
        self._until = time.monotonic() + AWAY_S


@cache
def absence() -> Absence:
    """Return this process's."""
    return Absence()


class SparingRedis(redis.Redis):
    """Sends no command while the server is away: each fails at once, as the cache expects of an absent server."""

    def execute_command(self, *args: Any, **options: Any) -> Any:
        """Send a command and return its answer; raises redis' own ``ConnectionError`` while the server is away."""
        if absence().lasts:
            raise RedisConnectionError("Redis failed a moment ago.")
        try:
            return super().execute_command(*args, **options)  # type: ignore[no-untyped-call]
        except (RedisConnectionError, RedisTimeoutError) as error:
            absence().begin(error)
            raise
