"""Middleware that knows each request: its id, its line in the log, and what it cost."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable, Iterator
from functools import partial

import orjson
import structlog
from django.conf import settings
from django.http import HttpRequest, QueryDict
from django.http.response import HttpResponseBase

from platform_core.access.actors import ANONYMOUS, Actor, acting_as
from platform_core.audit.recording import coming_from
from platform_core.observability.logging import RequestLog
from platform_core.observability.metrics import recorder
from platform_core.observability.queries import count_queries, spent, watching
from platform_core.observability.redaction import carrying, values_in_query, values_in_text
from platform_core.observability.security import log_refusal
from platform_core.observability.timing import ASKED, add_server_timing, timing_allowed
from platform_core.resource.requests import client_address

REQUEST_ID_HEADER = "X-Request-ID"
_ACCEPTED_ID = re.compile(r"[A-Za-z0-9._-]{8,64}\Z")

Handler = Callable[[HttpRequest], HttpResponseBase]


class RequestMiddleware:
    """Give every request an id, write one line for it, and act as nobody until someone is authenticated.

    What the request cost is counted for the plugin whose route answered, and told in ``Server-Timing`` on request.
    """

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response
        self.log = RequestLog()
        self.metrics = recorder()
        self.may_be_timed = timing_allowed()
        count_queries()

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer ``request``; a well-formed incoming request id is kept, any other replaced."""
        given = request.META.get("HTTP_X_REQUEST_ID", "")  # all headers in a mapping cost more
        request_id = given if _ACCEPTED_ID.match(given) else uuid.uuid4().hex
        request.request_id = request_id  # type: ignore[attr-defined]
        statements, statement_seconds = spent.statements, spent.seconds
        started = time.perf_counter()
        bound = structlog.contextvars.bind_contextvars(request_id=request_id)
        try:
            with (
                acting_as(ANONYMOUS, request_id=request_id),
                coming_from(partial(_origin_of, request)),
                carrying(partial(_sent_in, request)),
            ):
                asked = self.may_be_timed and request.META.get(ASKED) == "1"
                response = self._timed(request) if asked else self.get_response(request)
                seconds = time.perf_counter() - started
                owner = owner_of_request(request)
                self._write(request, response, seconds, owner)
                if response.status_code in (401, 403):
                    _record_refusal(request, response)
        finally:
            structlog.contextvars.reset_contextvars(**bound)
        self.metrics.add(
            owner,
            response.status_code,
            seconds,
            spent.statements - statements,
            spent.seconds - statement_seconds,
        )
        response[REQUEST_ID_HEADER] = request_id
        return response

    def process_view(
        self, request: HttpRequest, view: object, args: object, kwargs: object
    ) -> None:
        """Note when the plugin's own work begins."""
        if self.may_be_timed:
            request._view_began = time.perf_counter()  # type: ignore[attr-defined]

    def _timed(self, request: HttpRequest) -> HttpResponseBase:
        started = time.perf_counter()
        with watching() as watch:
            response = self.get_response(request)
        seconds = time.perf_counter() - started
        add_server_timing(request, response, owner_of_request(request), seconds, watch)
        return response

    def _write(
        self, request: HttpRequest, response: HttpResponseBase, seconds: float, owner: str
    ) -> None:
        self.log.write(
            request.request_id,  # type: ignore[attr-defined]
            method=request.method or "",
            path=request.path,
            status=response.status_code,
            milliseconds=round(seconds * 1000, 2),
            plugin=owner,
        )


def _origin_of(request: HttpRequest) -> dict[str, str]:
    """Return what the audit trail says of where a request came from, among what can be erased."""
    address = client_address(request)
    return {"address": address} if address else {}


def _sent_in(request: HttpRequest) -> Iterator[object]:
    """Yield what a client has sent: nothing of it is to be quoted in a log. Headers that say how to answer stay."""
    yield from values_in_query(request.META.get("QUERY_STRING", ""))
    for name, value in request.META.items():
        if name.startswith("HTTP_") and not name.startswith(_NO_VALUES):
            yield value
            yield from request.COOKIES.values() if name == "HTTP_COOKIE" else str(value).split()
    body: bytes | None = getattr(request, "_body", None)
    if body:
        yield from values_in_text(body)
    form: QueryDict | None = getattr(request, "_post", None)
    for values in () if form is None else form.lists():
        yield from values


_NO_VALUES = ("HTTP_ACCEPT", "HTTP_HOST", "HTTP_CONNECTION", "HTTP_USER_AGENT", "HTTP_X_REQUEST_ID")


def _record_refusal(request: HttpRequest, response: HttpResponseBase) -> None:
    """Write to the security log who was refused what; the sign-in flow's own 401, its way to ask, is none."""
    code = _problem_code(response)
    if code is None and response.status_code == 401:
        return
    actor = getattr(request, "actor", None)
    with acting_as(actor if isinstance(actor, Actor) else ANONYMOUS):
        log_refusal(
            "access_refused",
            status=response.status_code,
            code=code,
            method=request.method,
            path=request.path,
            ip=client_address(request),
        )


def _problem_code(response: HttpResponseBase) -> str | None:
    if response.headers.get("Content-Type") != "application/problem+json":
        return None
    found = orjson.loads(getattr(response, "content", b"{}"))
    code: str | None = found.get("code")
    return code


def owner_of_request(request: HttpRequest) -> str:
    """Return the slug of the plugin whose route answers ``request``; the core's are ``platform_core``."""
    parts = request.path_info.split("/", 4)
    if len(parts) > 3 and parts[1] == "api" and parts[3] in settings.PLATFORM_ENABLED_SLUGS:
        return parts[3]
    return "platform_core"
