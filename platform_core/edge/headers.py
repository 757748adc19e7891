"""The headers by which browsers keep pages and answers apart, on whatever is answered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.http.response import ResponseHeaders

if TYPE_CHECKING:
    from django.http import HttpRequest
    from django.http.response import HttpResponseBase

FIXED = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "X-Content-Type-Options": "nosniff",
}


class SecurityHeadersMiddleware:
    """Send the ``SECURE_CSP`` policy and the other headers on every answer that has none of its own.

    Refusals, static files and probes are answers too, so it stands outside of everything that answers. What the API
    answers depends on who asks, so no cache may keep it unless the view says otherwise.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response
        policy = "; ".join(
            f"{name} {' '.join(sources)}" for name, sources in settings.SECURE_CSP.items()
        )
        everywhere = {
            **FIXED,
            "Content-Security-Policy": policy,
            "Referrer-Policy": str(settings.SECURE_REFERRER_POLICY),
            "X-Frame-Options": str(settings.X_FRAME_OPTIONS),
        }
        transport = _transport()
        secure = {"Strict-Transport-Security": transport} if transport else {}
        private = {"Cache-Control": "private, no-store"}
        self.sent = {
            (is_secure, is_api): _stored(
                {**everywhere, **(secure if is_secure else {}), **(private if is_api else {})}
            )
            for is_secure in (False, True)
            for is_api in (False, True)
        }

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Add the headers to the answer."""
        response = self.get_response(request)
        known: Any = response.headers
        sent = self.sent[request.is_secure(), request.path_info.startswith("/api/")]
        # One look for each header would cost more than all else that this class does.
        known._store = {**sent, **known._store}
        return response


def _stored(headers: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Return ``headers`` as an answer holds them, checked as it would check them."""
    found: Any = ResponseHeaders(headers)
    stored: dict[str, tuple[str, str]] = found._store
    return stored


def _transport() -> str:
    """Return what ``Strict-Transport-Security`` (RFC 6797) says here; empty when nothing is to be promised."""
    if not settings.SECURE_HSTS_SECONDS:
        return ""
    parts = [f"max-age={settings.SECURE_HSTS_SECONDS}"]
    if settings.SECURE_HSTS_INCLUDE_SUBDOMAINS:
        parts.append("includeSubDomains")
    if settings.SECURE_HSTS_PRELOAD:
        parts.append("preload")
    return "; ".join(parts)
