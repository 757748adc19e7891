"""Answer that an operation was started, and hand out the file that it made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from django.http import FileResponse, Http404, HttpRequest, HttpResponse

from platform_core.access import Actor
from platform_core.contributions import SIGNED_IN, Route
from platform_core.models import Operation
from platform_core.operations import files
from platform_core.operations.resources import OperationResource
from platform_core.operations.serving import may_have_file
from platform_core.resource.rendering import JSON, dumps

if TYPE_CHECKING:
    from rest_framework.request import Request

RETRY_AFTER_S: Final = 1


def accepted(request: HttpRequest | Request, operation: Operation) -> HttpResponse:
    """Return the 202 for a started operation: where it is, when to look again, and how it stands."""
    view: Any = OperationResource(slug="platform_core")
    view.request = request
    kind: Any = operation.actor_kind
    view.actor = Actor(operation.actor_id, kind)
    (shown,) = view.represent([operation])
    response = HttpResponse(dumps(shown), content_type=JSON, status=202)
    response["Location"] = f"/api/v1/operations/{operation.pk}/"
    response["Retry-After"] = str(RETRY_AFTER_S)
    return response


def download(request: HttpRequest, operation_id: UUID) -> FileResponse:
    """Stream the file that an operation made, to whoever started it and to nobody else.

    That of an export only as long as they may still export.
    """
    asking: Any = request
    if request.method not in ("GET", "HEAD"):
        from rest_framework.exceptions import MethodNotAllowed

        error: Any = MethodNotAllowed(request.method or "")
        error.allowed = ("GET", "HEAD")  # the answer says so in Allow
        raise error
    found = Operation.objects.filter(
        pk=operation_id,
        actor_id=asking.actor.id,
        actor_id__isnull=False,
        actor_kind=asking.actor.kind,
    ).first()
    if found is None or not found.file_token or not may_have_file(asking.actor, found):
        raise Http404
    try:
        source = files.result_of(found.pk, found.file_token).open("rb")
    except FileNotFoundError:
        raise Http404 from None
    response = FileResponse(
        source, as_attachment=True, filename=found.file_name, content_type=found.file_type
    )
    response["Cache-Control"] = "private, no-store"
    response["X-Content-Type-Options"] = "nosniff"
    return response


def _describe() -> dict[str, Any]:
    problem = {"application/problem+json": {"schema": {"type": "object"}}}
    described = {"type": "string", "format": "uuid"}
    return {
        "paths": {
            "": {
                "get": {
                    "operationId": "retrieve",
                    "summary": "Fetch the file that an operation made",
                    "description": "Only whoever started the operation gets it, until it expires.",
                    "parameters": [
                        {
                            "in": "path",
                            "name": "operation_id",
                            "required": True,
                            "schema": described,
                        }
                    ],
                    "responses": {
                        "200": {
                            "description": "The file",
                            "content": {"*/*": {"schema": {"type": "string", "format": "binary"}}},
                        },
                        "401": {"description": "Nobody is signed in", "content": problem},
                        "404": {"description": "There is no file for you", "content": problem},
                        "429": {"description": "Too many calls", "content": problem},
                    },
                }
            }
        }
    }


FILE_ROUTE = Route(
    path="operations/<uuid:operation_id>/file/",
    name="operation-file",
    access=SIGNED_IN,
    view=download,
    describe=_describe,
)
