"""How often somebody may call: counted exactly under concurrency, in Redis for all processes, else in each by itself."""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING, Any

import limits
from django.conf import settings
from django.utils.translation import gettext_lazy as _
from rest_framework.exceptions import APIException, AuthenticationFailed

from platform_core.access import ANONYMOUS
from platform_core.conf.runtime import CORE, overrides
from platform_core.resource.requests import actor_of, client_address

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse
    from rest_framework.request import Request

    from platform_core.access import Actor

logger = logging.getLogger("platform_core.resource")

REDIS_WAIT_S = 0.5
"""The longest that a request waits for Redis; after a failure Redis is left alone for a while."""
REDIS_AWAY_S = 5.0
_MOST_CONNECTIONS = 32
_MOST_WINDOWS = 100_000
_HOST_BITS = 64


@dataclass(frozen=True, slots=True)
class RateLimit:
    """So many calls in so many seconds, under a name that clients read."""

    name: str
    amount: int
    seconds: int

    @classmethod
    def parse(cls, name: str, text: str) -> RateLimit | None:
        """Return the limit that ``text`` says (``1000/hour``), or ``None`` for ``off``; raises ValueError."""
        if text == "off":
            return None
        item = limits.parse(text)
        return cls(name, item.amount, item.get_expiry())


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a caller stands with one limit: how many calls remain, and how many seconds until they are renewed."""

    limit: RateLimit
    remaining: int
    renewed_in_s: int


class TooManyRequests(APIException):
    """The caller has used up a limit; ``standings`` says which."""

    status_code = 429
    default_code = "rate_limited"
    default_detail = _("Too many calls; try again when Retry-After says.")

    def __init__(self, standings: Sequence[Standing], wait: int) -> None:
        super().__init__()
        self.standings = standings
        self.wait = wait


class LocalWindows:
    """Counts within this process. The library's own memory is not exact: it reads what others have counted too."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[str, tuple[float, int]] = {}

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Count ``amount`` more under ``key``, which is forgotten after ``expiry`` seconds, and return the count."""
        now = time.monotonic()
        with self._lock:
            if len(self._counts) >= _MOST_WINDOWS:
                self._forget(now)
            ends, count = self._counts.get(key, (now + expiry, 0))
            self._counts[key] = (ends, count + amount)
            return count + amount

    def _forget(self, now: float) -> None:
        """Forget what is over, and whoever called least: many callers cannot wipe out what one has used up."""
        alive = [entry for entry in self._counts.items() if entry[1][0] > now]
        alive.sort(key=lambda entry: entry[1][1], reverse=True)
        self._counts = dict(alive[: _MOST_WINDOWS // 2])


class Windows:
    """Counts in Redis when there is one, and in this process while it is away."""

    def __init__(self, redis_url: str | None) -> None:
        self._local = LocalWindows()
        self._shared: Any = None if redis_url is None else _redis_windows(redis_url)
        self._away_until = 0.0

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Count ``amount`` more under ``key`` for ``expiry`` seconds and return the count; never fails."""
        if self._shared is None or time.monotonic() < self._away_until:
            return self._local.incr(key, expiry, amount)
        from redis.exceptions import RedisError

        try:
            return int(self._shared.incr(key, expiry, amount))
        except (RedisError, OSError) as error:
            self._away_until = time.monotonic() + REDIS_AWAY_S
            logger.warning("Redis is away, limits count per process: %s", type(error).__name__)
            return self._local.incr(key, expiry, amount)


def _redis_windows(url: str) -> Any:
    import redis
    from limits.storage import RedisStorage

    pool = redis.BlockingConnectionPool.from_url(
        url,
        max_connections=_MOST_CONNECTIONS,
        timeout=REDIS_WAIT_S,
        socket_timeout=REDIS_WAIT_S,
        socket_connect_timeout=REDIS_WAIT_S,
    )
    return RedisStorage(url, connection_pool=pool, key_prefix="platform:limits")


@cache
def windows() -> Windows:
    """Return the counts of this process."""
    return Windows(settings.PLATFORM_REDIS_URL)


def general_limit(name: str) -> RateLimit | None:
    """Return the limit ``signed_in`` or ``anonymous`` of the deployment, as it is now."""
    return limit_of_action(name, general_limit_text(name))


def general_limit_text(name: str) -> str:
    """Return that limit as it is written."""
    changed: str | None = overrides().of(CORE).get(f"rate_limit_{name}")
    return settings.PLATFORM_RATE_LIMITS[name] if changed is None else changed


@cache
def limit_of_action(scope: str, text: str) -> RateLimit | None:
    """Return the limit ``text`` of what is counted as ``scope``."""
    return RateLimit.parse(scope, text)


def enforce(request: HttpRequest, actor: Actor, own: RateLimit | None = None) -> Sequence[Standing]:
    """Count the request, and return where the caller stands with the general limit and the action's ``own``.

    Raises ``TooManyRequests``.
    """
    limit = general_limit("anonymous" if actor.id is None else "signed_in")
    return _charge(caller_of(request, actor), [limit, own])


def charge_items(
    request: HttpRequest, actor: Actor, own: RateLimit | None, items: int
) -> Sequence[Standing]:
    """Count what one call does ``items`` times against the action's ``own`` limit, the call itself being counted.

    Raises ``TooManyRequests``.
    """
    return _charge(caller_of(request, actor), [own], items - 1)


def _charge(who: str, known: Sequence[RateLimit | None], amount: int = 1) -> Sequence[Standing]:
    standings = [_count(one, who, amount) for one in known if one is not None]
    exceeded = [one.renewed_in_s for one in standings if one.remaining < 0]
    if exceeded:
        raise TooManyRequests(standings, max(exceeded))
    return standings


def caller_of(request: HttpRequest, actor: Actor) -> str:
    """Return what tells ``actor`` apart from others: who they are, else from where they ask."""
    if actor.id is None:
        return f"ip:{_neighbourhood(client_address(request))}"
    return f"{actor.kind}:{actor.id}"


def _neighbourhood(address: str) -> str:
    """Return what one subscriber has: an IPv4 address, or the /64 of an IPv6 one, in which anybody picks addresses."""
    try:
        found = ip_address(address)
    except ValueError:  # the socket of a file has none
        return address
    if isinstance(found, IPv4Address):
        return str(found)
    return str(found.ipv4_mapped or IPv6Address(int(found) >> _HOST_BITS << _HOST_BITS))


def recognise(request: Request, own: RateLimit | None = None) -> tuple[Actor, Sequence[Standing]]:
    """Return who sent the request and where they stand with their limits, counting it.

    Credentials that do not count are counted as nobody's, so that guessing has a limit too. Raises what
    authentication raises, and ``TooManyRequests``.
    """
    try:
        actor = actor_of(request)
    except AuthenticationFailed:
        enforce(request._request, ANONYMOUS)
        raise
    return actor, enforce(request._request, actor, own)


def _count(limit: RateLimit, who: str, amount: int) -> Standing:
    """Count ``amount`` calls in the present window, which starts at another moment for each caller."""
    name = f"{limit.name}:{who}"
    offset = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=4).digest()) % limit.seconds
    window, passed = divmod(int(time.time()) + offset, limit.seconds)
    count = windows().incr(f"{name}:{window}", limit.seconds, amount)
    return Standing(limit, limit.amount - count, limit.seconds - passed)


def tell(response: HttpResponse, standings: Sequence[Standing]) -> None:
    """Say in the answer which limits there are and what is left of them (draft-ietf-httpapi-ratelimit-headers)."""
    if not standings:
        return
    response["RateLimit-Policy"] = ", ".join(
        f'"{one.limit.name}";q={one.limit.amount};w={one.limit.seconds}' for one in standings
    )
    response["RateLimit"] = ", ".join(
        f'"{one.limit.name}";r={max(one.remaining, 0)};t={one.renewed_in_s}' for one in standings
    )
