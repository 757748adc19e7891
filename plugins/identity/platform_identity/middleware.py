"""Keeps away from the sign-in library what it does not refuse itself: input that is not plain JSON, and other methods."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import orjson
from django.http import HttpRequest, HttpResponseNotAllowed
from django.http.response import HttpResponseBase

from platform_core.plugin import API_PREFIX
from platform_core.resource import bad_request

AUTH_PATH: Final = f"/{API_PREFIX}identity/auth/"
MAX_DEPTH: Final = 8
"""How deep the objects and lists of a sign-in request may be nested; the library's own are two deep."""

_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})

Handler = Callable[[HttpRequest], HttpResponseBase]


class SignInRequestMiddleware:
    """Refuse sign-in requests whose body is not a flat JSON object in UTF-8: nobody has to be signed in to send one.

    Methods that a route does not offer are refused here: the library judges the body of any method first.

    The library reads bodies by Python's parser, which accepts lone surrogates that no database and no hash can
    encode, and raises errors of its own for deep nesting and very long numbers.
    """

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer 400 for such a body, else what the view answers."""
        if (
            request.path_info.startswith(AUTH_PATH)
            and request.method not in _SAFE
            and not _is_acceptable(request.body)
        ):
            return bad_request(request)
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Callable[..., Any], _args: Any, _kwargs: Any
    ) -> HttpResponseBase | None:
        """Answer 405 when the route at a sign-in address has no handler for the method."""
        found = getattr(view, "view_class", None)
        if found is None or not request.path_info.startswith(AUTH_PATH):
            return None
        offered = [name for name in found.http_method_names if hasattr(found, name)]
        if str(request.method).lower() in offered or (
            request.method == "HEAD" and "get" in offered
        ):
            return None
        return HttpResponseNotAllowed([name.upper() for name in offered])


def _is_acceptable(body: bytes) -> bool:
    if not body:
        return True
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        return False
    return isinstance(found, dict) and _is_shallow(found, MAX_DEPTH)


def _is_shallow(value: Any, depth: int) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return depth > 0 and all(_is_shallow(one, depth - 1) for one in inner)
