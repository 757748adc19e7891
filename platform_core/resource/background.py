"""Operations of a resource that go on in the background when the client prefers it: decided again when they run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import orjson
from django.http import HttpRequest
from django.urls import resolve

from platform_core.access import acting_as, current_request_id
from platform_core.audit.actions import running as recording
from platform_core.operations import RunningOperation, accepted, background, start_operation
from platform_core.resource.requests import RESPOND_ASYNC, prefers
from platform_core.resource.trail import Trail

if TYPE_CHECKING:
    from django.http import HttpResponse

    from platform_core.resource.base import Resource
    from platform_core.resource.operations import Operation


def goes_to_background(view: Resource, operation: Operation) -> bool:
    """Tell whether the client prefers not to wait (RFC 7240) for an operation that may run in the background.

    A call that is only tried, or is one of many, is answered at once.
    """
    return (
        operation.background
        and not view.is_bulk
        and not view.is_trial
        and view.running is None
        and prefers(view.request, RESPOND_ASYNC)
    )


def start(view: Resource, operation: Operation) -> HttpResponse:
    """Answer 202 for an operation that was found possible, and let it be run by a worker."""
    started = start_operation(
        run_operation_of_resource,
        {"path": view.request.path_info, "body": view.body, "if_match": view.if_match},
        kind=f"{view.slug}.{operation.verb}_{view.model._meta.model_name}",
        plugin=view.slug,
    )
    response = accepted(view.request, started)
    response["Preference-Applied"] = RESPOND_ASYNC
    return response


@background()
def run_operation_of_resource(
    running: RunningOperation, *, path: str, body: Any, if_match: str | None
) -> Any:
    """Run what was asked for at ``path`` as the request would have, and return what it would have answered."""
    match = resolve(path)
    served: Any = match.func
    request = HttpRequest()
    request.method, request.path, request.path_info = "POST", path, path
    request.request_id = current_request_id()  # type: ignore[attr-defined]  # as the middleware sets it
    view: Resource = served.cls(**served.initkwargs)
    view.args, view.kwargs, view.headers = (), dict(match.kwargs), {}
    view.format_kwarg = None
    view.action_map = served.actions
    view.action = served.actions["post"]
    view.request = view.initialize_request(request)
    view.actor, view.running = running.actor, running
    view.body, view.if_match = body, if_match
    view.trail = Trail(view)
    with acting_as(view.actor), recording(view.trail):
        response = view.change_one()
    view.trail.write()
    found: Mapping[str, Any] | None = orjson.loads(response.content) if response.content else None
    return found
