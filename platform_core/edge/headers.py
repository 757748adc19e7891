"""The headers by which browsers keep pages and answers apart, on whatever is answered."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from django.conf import settings

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
        self.sent = {
            **FIXED,
            "Content-Security-Policy": policy,
            "Referrer-Policy": str(settings.SECURE_REFERRER_POLICY),
            "X-Frame-Options": str(settings.X_FRAME_OPTIONS),
        }
        self.transport = _transport()

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Add the headers to the answer."""
        response = self.get_response(request)
        headers = response.headers
        for name, value in self.sent.items():
            headers.setdefault(name, value)
        if self.transport and request.is_secure():
            headers.setdefault("Strict-Transport-Security", self.transport)
        if request.path_info.startswith("/api/"):
            headers.setdefault("Cache-Control", "private, no-store")
        return response


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
