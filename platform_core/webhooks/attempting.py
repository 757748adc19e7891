"""One attempt to deliver: the signed request, and what it came to."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import orjson
from django.utils import timezone

from platform_core.encryption import DecryptionError
from platform_core.outbound import OutboundError, send
from platform_core.webhooks.signing import signed_headers
from platform_core.webhooks.timing import wished_wait

if TYPE_CHECKING:
    from platform_core.models import WebhookEndpoint, WebhookMessage

KEPT_BYTES: Final = 1000
GONE: Final = 410
SLOW_MS: Final = 2000
"""Whoever does their work before they answer takes longer."""
_OVERLOADED: Final = frozenset({429, 502, 503, 504})
UNREADABLE: Final = "secret_unreadable"
_NO_TROUBLE: Final = frozenset({"invalid_url", "address_refused", UNREADABLE})
"""Refused here, before anybody was asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What an attempt came to: a status, or the code of what kept it from one."""

    status: int | None = None
    error: str = ""
    body: str = ""
    duration_ms: int
    wished_s: float | None = None

    @property
    def has_succeeded(self) -> bool:
        """Whether the receiver has it."""
        return self.status is not None and 200 <= self.status < 300

    @property
    def is_overload(self) -> bool:
        """Whether the receiver, or the way to it, is in trouble: sending more would make it worse."""
        if self.status is not None:
            return self.status in _OVERLOADED
        return self.error not in _NO_TROUBLE

    @property
    def is_slow(self) -> bool:
        """Whether it took the receiver so long, or so much, that others must not have to wait for it."""
        return self.is_overload or self.duration_ms >= SLOW_MS

    @property
    def outcome(self) -> str:
        """How metrics and logs call it."""
        if self.has_succeeded:
            return "delivered"
        return self.error or "refused"


def body_of(message: WebhookMessage) -> bytes:
    """Return what is sent: the same bytes at each attempt."""
    content = {
        "type": message.event_type,
        "timestamp": message.occurred_at.isoformat().replace("+00:00", "Z"),
        "data": message.data,
    }
    return orjson.dumps(content)


def secrets_in_force(endpoint: WebhookEndpoint) -> list[str]:
    """Return the secrets to sign by: the present one, and for a while the one before."""
    until = endpoint.previous_secret_until
    earlier = endpoint.previous_secret
    is_in_force = earlier is not None and until is not None and until > timezone.now()
    return [endpoint.secret, *([earlier] if earlier and is_in_force else ())]


def attempt(endpoint: WebhookEndpoint, message: WebhookMessage) -> Attempt:
    """Send ``message`` once to ``endpoint``."""
    body = body_of(message)
    started = time.perf_counter()
    try:
        secrets = secrets_in_force(endpoint)
    except DecryptionError:
        return Attempt(error=UNREADABLE, duration_ms=0)
    headers = signed_headers(secrets, str(message.pk), int(time.time()), body)
    try:
        answer = send("POST", endpoint.url, headers=headers, body=body, most_bytes=KEPT_BYTES)
    except OutboundError as error:
        return Attempt(error=error.code, duration_ms=_milliseconds_since(started))
    return Attempt(
        status=answer.status,
        body=answer.body.decode("utf-8", "replace").replace("\0", ""),
        duration_ms=_milliseconds_since(started),
        wished_s=wished_wait(answer.headers.get("retry-after"), timezone.now()),
    )


def _milliseconds_since(started: float) -> int:
    return round((time.perf_counter() - started) * 1000)
