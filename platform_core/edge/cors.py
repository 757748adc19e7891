"""Which pages of other origins may talk to the API: those that are listed, letter by letter, and no pattern."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

CORS_MIDDLEWARE = "corsheaders.middleware.CorsMiddleware"
_OUTSIDE = "platform_core.observability.health.HealthMiddleware"
_ORIGIN = re.compile(r"https?://([a-z0-9.-]+|\[[0-9a-f:]+\])(:[0-9]{1,5})?")
_METHODS = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")
_ASKED = (
    "accept",
    "accept-language",
    "authorization",
    "content-type",
    "idempotency-key",
    "if-match",
    "if-none-match",
    "prefer",
    "x-csrftoken",
    "x-request-id",
    "x-session-token",
)
EXPOSED = (
    "Content-Disposition",
    "Deprecation",
    "Dry-Run",
    "ETag",
    "Idempotency-Replayed",
    "Link",
    "Location",
    "Preference-Applied",
    "RateLimit",
    "RateLimit-Policy",
    "Retry-After",
    "Sunset",
    "WWW-Authenticate",
    "X-Request-ID",
)
_PREFLIGHT_S = 7200


def is_origin(text: str) -> bool:
    """Tell whether ``text`` is one origin as browsers send it: scheme, host in lower case, maybe a port."""
    return _ORIGIN.fullmatch(text) is not None


def with_cors(middleware: Sequence[str], origins: Sequence[str]) -> list[str]:
    """Return ``middleware`` with the one that admits other origins, where there are any.

    It stands outside of everything that refuses: a page has to be able to read why.
    """
    found = list(middleware)
    if origins:
        found.insert(found.index(_OUTSIDE) + 1, CORS_MIDDLEWARE)
    return found


def cors_settings(origins: Sequence[str], *, credentials: bool) -> dict[str, Any]:
    """Return what django-cors-headers needs: exact origins on the API only, and what scripts may send and see."""
    return {
        "CORS_ALLOWED_ORIGINS": list(origins),
        "CORS_ALLOW_CREDENTIALS": credentials,
        "CORS_ALLOW_HEADERS": _ASKED,
        "CORS_ALLOW_METHODS": _METHODS,
        "CORS_EXPOSE_HEADERS": EXPOSED,
        "CORS_PREFLIGHT_MAX_AGE": _PREFLIGHT_S,
        "CORS_URLS_REGEX": r"^/api/",
    }
