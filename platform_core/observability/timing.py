"""``Server-Timing``: where the time of one request went, told to whoever asks and may."""

from __future__ import annotations

import time

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from platform_core.observability.queries import CORE, Watch

ASKED = "HTTP_X_SERVER_TIMING"
"""The request header ``X-Server-Timing: 1`` as WSGI spells it."""


def timing_allowed() -> bool:
    """Tell whether this deployment answers ``X-Server-Timing``: by its setting, else outside production."""
    wanted: bool | None = settings.PLATFORM.deployment.core.server_timing
    return settings.PLATFORM.profile != "prod" if wanted is None else wanted


def add_server_timing(
    request: HttpRequest, response: HttpResponseBase, owner: str, seconds: float, watch: Watch
) -> None:
    """Add the header: the whole, the statements, the plugin whose route answered, and whose tables were asked."""
    counts = [count for count, _ in watch.by_owner.values()]
    entries = [
        _entry("app", seconds),
        _entry("db", sum(spent for _, spent in watch.by_owner.values()), _queries(sum(counts))),
    ]
    began: float | None = getattr(request, "_view_began", None)
    if owner != CORE and began is not None:
        entries.append(_entry(owner, time.perf_counter() - began))
    entries += [
        _entry(f"db-{name}", spent, _queries(count))
        for name, (count, spent) in sorted(watch.by_owner.items())
    ]
    response["Server-Timing"] = ", ".join(entries)


def _queries(count: int) -> str:
    return f"{count} quer{'y' if count == 1 else 'ies'}"


def _entry(name: str, seconds: float, description: str = "") -> str:
    described = f';desc="{description}"' if description else ""
    return f"{name};dur={seconds * 1000:.2f}{described}"
