"""What the core reads from a request: who asks, and under which id it is logged."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, cast

from platform_core.access import ANONYMOUS, Actor, current_request_id

if TYPE_CHECKING:
    from django.http import HttpRequest
    from rest_framework.request import Request


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


def request_id_of(request: HttpRequest | Request) -> str:
    """Return the id of the request: the middleware's, else the context's, else a new one kept on the request."""
    plain: Any = getattr(request, "_request", request)
    found = getattr(plain, "request_id", None) or current_request_id()
    if not found:
        found = str(uuid.uuid4())
        plain.request_id = found
    return cast("str", found)
