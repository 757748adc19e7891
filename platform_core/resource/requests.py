"""What the core reads from a request: who asks, and under which id it is logged."""

from __future__ import annotations

import uuid
from functools import cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING, Any, cast

from django.conf import settings

from platform_core.access import ANONYMOUS, Actor, current_request_id

if TYPE_CHECKING:
    from django.http import HttpRequest
    from rest_framework.request import Request

RESPOND_ASYNC = "respond-async"
"""The preference of a client that does not want to wait (RFC 7240)."""


def actor_of(request: Request) -> Actor:
    """Return the actor that the request's authentication found, or the anonymous one.

    Authentication classes return ``(user, auth)`` where ``auth.actor`` is the ``Actor``. Whatever else they return
    is nobody.
    """
    # Asking for the user first lets a failed authentication raise instead of passing for anonymous.
    request.user  # noqa: B018
    actor = getattr(request.auth, "actor", None)
    found = actor if isinstance(actor, Actor) else ANONYMOUS
    plain: Any = request._request
    plain.actor = found  # for the security log, which is written outside the view
    return found


def request_id_of(request: HttpRequest | Request | None) -> str:
    """Return the id of the request: the middleware's, else the context's, else a new one kept on the request.

    A job that no request has asked for, such as a scheduled one, has no request to keep it on.
    """
    plain: Any = getattr(request, "_request", request)
    found = getattr(plain, "request_id", None) or current_request_id()
    if not found:
        found = str(uuid.uuid4())
        if plain is not None:
            plain.request_id = found
    return cast("str", found)


def prefers(request: HttpRequest | Request, word: str) -> bool:
    """Tell whether ``Prefer`` (RFC 7240) of the request holds ``word``."""
    return word in preferences_in(request.headers.get("Prefer", ""))


def preferences_in(preference: str) -> set[str]:
    """Return the words of a ``Prefer`` header, in lower case."""
    return {one.strip().lower() for one in preference.replace(";", ",").split(",")}


def client_address(request: HttpRequest) -> str:
    """Return the address of whoever sent the request; empty when it came through the socket of a file.

    ``X-Forwarded-For`` is believed only as far as the proxies reach that the setting ``trusted_proxies`` names: the
    last address that none of them has is the client's, whatever stands before it.
    """
    address = str(request.META.get("REMOTE_ADDR") or "")
    proxies = _trusted_proxies()
    if not proxies:
        return address
    forwarded = request.headers.get("X-Forwarded-For", "")
    for claimed in reversed([one.strip() for one in forwarded.split(",") if one.strip()]):
        if not _is_in(address, proxies):
            break
        try:
            address = str(ip_address(claimed))
        except ValueError:
            break
    return address


@cache
def _trusted_proxies() -> tuple[IPv4Network | IPv6Network, ...]:
    return tuple(ip_network(one) for one in settings.PLATFORM_TRUSTED_PROXIES)


def _is_in(address: str, networks: tuple[IPv4Network | IPv6Network, ...]) -> bool:
    try:
        found = ip_address(address)
    except ValueError:  # the socket of a file: only a process of this machine reaches it
        return not address
    return any(found in network for network in networks)
