"""Problem details (RFC 9457): how every refusal and failure of the API looks."""

from __future__ import annotations

import logging
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from http import HTTPStatus
from itertools import islice
from typing import TYPE_CHECKING, Any

import psycopg
from django.core.exceptions import BadRequest, RequestDataTooBig, SuspiciousOperation
from django.core.exceptions import PermissionDenied as DjangoPermissionDenied
from django.core.exceptions import ValidationError as DjangoValidationError
from django.core.signals import got_request_exception
from django.db import DatabaseError, InterfaceError, OperationalError, transaction
from django.http import Http404, HttpResponse, UnreadablePostError
from django.utils.translation import gettext as _
from rest_framework import exceptions
from rest_framework.fields import get_error_detail

from platform_core.errors import DomainError
from platform_core.models import DeletionBlocked, Referrer
from platform_core.observability.redaction import carrying
from platform_core.resource.constraints import refusal_of
from platform_core.resource.rendering import dumps
from platform_core.resource.requests import request_id_of

if TYPE_CHECKING:
    from django.http import HttpRequest

PROBLEM_JSON = "application/problem+json"
TYPE_PREFIX = "urn:platform:problem:"
RETRY_AFTER_SECONDS = "2"
MOST_ERRORS = 200
"""What is wrong with a body beyond that is not told: an answer is not to be many times as long as what asked for it."""

logger = logging.getLogger("platform_core.resource")


class QueryRefused(exceptions.APIException):
    """A query parameter that cannot be accepted; ``parameter`` names it."""

    status_code = HTTPStatus.UNPROCESSABLE_ENTITY
    default_code = "invalid_parameter"

    def __init__(self, parameter: str, detail: Any, code: str = "invalid_parameter") -> None:
        super().__init__(detail, code)
        self.parameter = parameter
        self.code = code


def problem(
    request: Any,
    status: int,
    code: str,
    detail: Any = "",
    *,
    errors: list[dict[str, Any]] | None = None,
    headers: Mapping[str, str] | None = None,
    extra: Mapping[str, Any] | None = None,
) -> HttpResponse:
    """Build the answer for a refusal: ``code`` is stable, ``detail`` tells the person what to do next."""
    body: dict[str, Any] = {
        "type": TYPE_PREFIX + code,
        "title": HTTPStatus(status).phrase,
        "status": int(status),
        "code": code,
        "detail": str(detail),
        "request_id": request_id_of(request),
    }
    if errors:
        body["errors"] = errors
    if extra:
        body.update(extra)
    return HttpResponse(
        dumps(body), status=int(status), content_type=PROBLEM_JSON, headers=dict(headers or {})
    )


def pointer_to(*parts: str | int) -> str:
    """Return the JSON Pointer (RFC 6901) to ``parts``."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)


def _flatten(detail: Any, path: tuple[str | int, ...] = ()) -> Iterator[dict[str, Any]]:
    """Yield one entry per message of REST framework's nested error detail.

    Its own message about a choice repeats what was sent, which may be a secret in the wrong place.
    """
    if isinstance(detail, Mapping):
        for key, inner in detail.items():
            yield from _flatten(inner, path if key == "non_field_errors" else (*path, key))
    elif isinstance(detail, list):
        for index, inner in enumerate(detail):
            leaf = isinstance(inner, str)
            yield from _flatten(inner, path if leaf else (*path, index))
    else:
        code = getattr(detail, "code", None) or "invalid"
        told = _("There is no such choice.") if code == "invalid_choice" else str(detail)
        yield {"pointer": pointer_to(*path), "code": code, "detail": told}


def exception_handler(exc: Exception, context: Mapping[str, Any]) -> HttpResponse:
    """Turn any exception of a view into a problem, and roll its transaction back.

    REST framework's own rollback does nothing without ``ATOMIC_REQUESTS``, so that what a handled error had
    written would be committed.
    """
    _roll_back()
    request = context.get("request")
    answer = answer_to(request, exc, context.get("view"))
    if answer is None:
        answer = _failure(request, exc, context.get("view"))
    return answer


def _roll_back() -> None:
    blocks = transaction.get_connection().atomic_blocks
    # The block around a test is not the view's; marking it would forbid the test its next query.
    if blocks and not getattr(blocks[-1], "_from_testcase", False):
        transaction.set_rollback(True)


def answer_to(request: Any, exc: Exception, view: Any = None) -> HttpResponse | None:
    """Return the problem for an expected error of ``view``, else ``None``."""
    if isinstance(exc, exceptions.APIException):
        return _api_exception(request, exc)
    if isinstance(exc, DomainError):
        return _domain_error(request, exc)
    if isinstance(exc, Http404):
        return problem(request, 404, "not_found", _("There is no such thing."))
    if isinstance(exc, DjangoPermissionDenied):
        return problem(request, 403, "forbidden", _("You may not do this."))
    if isinstance(exc, DjangoValidationError):
        return _invalid(request, get_error_detail(exc))
    if isinstance(exc, RequestDataTooBig):
        return too_large(request)
    if isinstance(exc, (BadRequest, SuspiciousOperation, UnreadablePostError)):
        return problem(request, 400, "bad_request", _("The request is malformed."))
    if isinstance(exc, (OperationalError, InterfaceError, psycopg.OperationalError)):
        return _unavailable(request, exc)
    if isinstance(exc, DatabaseError):
        refusal = refusal_of(exc)
        if refusal is not None:
            return problem(
                request,
                refusal.status,
                refusal.code,
                refusal.detail,
                errors=refusal.errors(_not_named(view)),
                extra=_referrers(refusal.referrers),
            )
    return None


def _not_named(view: Any) -> Collection[str]:
    """Return the columns that the caller of ``view`` is not to hear of."""
    found: Collection[str] = view.columns_not_named() if hasattr(view, "columns_not_named") else ()
    return found


def _invalid(request: Any, detail: Any) -> HttpResponse:
    return problem(
        request,
        422,
        "invalid",
        _("The input is not acceptable; see errors."),
        errors=list(islice(_flatten(detail), MOST_ERRORS)),
    )


def _api_exception(request: Any, exc: exceptions.APIException) -> HttpResponse:
    if isinstance(exc, exceptions.ValidationError):
        return _invalid(request, exc.detail)
    if isinstance(exc, QueryRefused):
        entry = {"parameter": exc.parameter, "code": exc.code, "detail": str(exc.detail)}
        return problem(request, exc.status_code, exc.code, exc.detail, errors=[entry])
    headers: dict[str, str] = {}
    status = exc.status_code
    if isinstance(exc, (exceptions.NotAuthenticated, exceptions.AuthenticationFailed)):
        # REST framework answers 403 when no authentication class names a scheme.
        status = HTTPStatus.UNAUTHORIZED
        headers["WWW-Authenticate"] = getattr(exc, "auth_header", None) or 'Bearer realm="api"'
    wait = getattr(exc, "wait", None)
    if wait:
        headers["Retry-After"] = str(int(wait))
    if tag := getattr(exc, "tag", None):
        headers["ETag"] = tag
    if allowed := getattr(exc, "allowed", None):
        headers["Allow"] = ", ".join(allowed)
    codes = exc.get_codes()
    code = codes if isinstance(codes, str) else exc.default_code
    detail = exc.detail if isinstance(exc.detail, str) else ""
    extra = getattr(exc, "extra", None)
    return problem(request, status, code, detail, headers=headers, extra=extra)


def _domain_error(request: Any, exc: DomainError) -> HttpResponse:
    errors = None
    if exc.pointer is not None:
        errors = [{"pointer": exc.pointer, "code": exc.code, "detail": str(exc.message)}]
    extra = _referrers(exc.referrers) if isinstance(exc, DeletionBlocked) else None
    return problem(request, exc.status, exc.code, exc.message, errors=errors, extra=extra)


def _referrers(found: Sequence[Referrer]) -> dict[str, Any] | None:
    """Return who refers to it: kinds and counts only, for the ids of the rows may be out of the actor's sight."""
    if not found:
        return None
    return {
        "referrers": [
            {
                "plugin": one.plugin,
                "model": one.model,
                "table": one.table,
                "label": str(one.label),
                "count": one.count,
                "way_out": str(one.way_out or _("Delete or change those first.")),
            }
            for one in found
        ]
    }


def _unavailable(request: Any, exc: Exception) -> HttpResponse:
    logger.warning("database unavailable: %s", type(exc).__name__)
    return problem(
        request,
        503,
        "unavailable",
        _("The database cannot answer now; try again shortly."),
        headers={"Retry-After": RETRY_AFTER_SECONDS},
    )


def _failure(request: Any, exc: Exception, view: Any) -> HttpResponse:
    """Log what nobody expected with the plugin that owns the view, and tell the client nothing of it."""
    plugin = getattr(view, "slug", "") or type(view).__module__.partition(".")[0]
    with carrying(lambda: [getattr(request, "_full_data", None)]):
        logger.error(
            "unhandled error in a view of %s",
            plugin,
            exc_info=exc,
            extra={"plugin": plugin, "request_id": request_id_of(request)},
        )
    got_request_exception.send(sender=type(view), request=getattr(request, "_request", request))
    return _internal_error(request)


def _internal_error(request: Any) -> HttpResponse:
    return problem(
        request, 500, "internal_error", _("Something went wrong here; quote the request id.")
    )


def too_large(request: Any) -> HttpResponse:
    """Answer a request whose body is longer than its media type may be here."""
    return problem(request, 413, "too_large", _("The request body is too large."))


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Answer a path below ``/api/`` that no route serves."""
    return problem(request, 404, "not_found", _("There is nothing at this address."))


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Answer a request below ``/api/`` that Django itself refused."""
    if isinstance(exception, RequestDataTooBig):
        return too_large(request)
    return problem(request, 400, "bad_request", _("The request is malformed."))


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Answer a request below ``/api/`` that a middleware refused."""
    return problem(request, 403, "forbidden", _("You may not do this."))


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Answer an unsafe request that came with a cookie but without its CSRF token."""
    return problem(
        request, 403, "csrf_failed", _("The CSRF token is missing or wrong; reload and try again.")
    )


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer an error below ``/api/`` that happened outside a view: 503 for the database, else 500."""
    error = sys.exc_info()[1]
    if isinstance(error, (OperationalError, InterfaceError, psycopg.OperationalError)):
        return _unavailable(request, error)
    return _internal_error(request)
