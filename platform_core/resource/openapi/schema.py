"""One operation as it answers, refusals included."""

from __future__ import annotations

from typing import Any

from drf_spectacular.plumbing import ResolvedComponent

from platform_core.resource.base import Resource
from platform_core.resource.openapi.answers import (
    ALWAYS_POSSIBLE,
    BULK_REFUSALS,
    OPERATION_REFUSALS,
    PROBLEM_SCHEMA,
    REFUSALS,
    STATUS_TITLES,
    history_entry,
    json_answer,
    page_of,
)
from platform_core.resource.openapi.conventions import (
    ACCEPTED,
    DIFFERENCES,
    ETAG,
    Schema,
    bulk_response,
    shaped,
)
from platform_core.resource.openapi.exchange import export_answer, import_report
from platform_core.resource.openapi.requests import RequestSchema
from platform_core.resource.operations import DERIVED_ACTIONS, STANDARD_ACTIONS
from platform_core.resource.problems import PROBLEM_JSON


class PlatformSchema(RequestSchema):
    """Describes a ``Resource`` as it answers; other views as drf-spectacular finds them."""

    def _get_response_bodies(self, direction: Any = "response") -> Schema:
        resource = self._resource
        if resource is None:
            bodies: Schema = super()._get_response_bodies(direction)
            return bodies
        shown = self.resolve_serializer(resource.serializer_class(), "response").ref
        responses = self._success(resource, shown)
        content = {PROBLEM_JSON: {"schema": self._problem()}}
        for status in sorted({*ALWAYS_POSSIBLE, *self._refusals(resource)}):
            responses[str(status)] = {"description": STATUS_TITLES[status], "content": content}
        return responses

    def _refusals(self, resource: Resource) -> tuple[int, ...]:
        below = () if resource.parent is None else (404,)
        if resource.is_bulk:
            return (*BULK_REFUSALS, *below)
        found = (*REFUSALS.get(self._action, OPERATION_REFUSALS), *below)
        return (*found, 428) if resource.requires_match and 412 in found else found

    def _success(self, resource: Resource, shown: Schema) -> Schema:
        if resource.is_bulk:
            return {
                "200": json_answer("A result for each item", bulk_response(shown, self._problem()))
            }
        if self._action == "export":
            return {"200": export_answer(), "202": self._accepted()}
        if self._action == "import":
            report = import_report(self._problem())
            told = "More than 500 rows, or longer to read: an operation does it"
            started = {**self._accepted(), "description": told}
            return {"200": json_answer("What became of each row", report), "202": started}
        if self._action == "destroy":
            return {"204": {"description": "Deleted"}}
        if self._action == "list":
            return {"200": json_answer("One page", page_of(shaped(resource, shown, self.registry)))}
        if self._action == "history":
            return {"200": json_answer("One page, newest first", page_of(history_entry(resource)))}
        if self._action == "create":
            where = {"Location": {"schema": {"type": "string", "format": "uri-reference"}}}
            return {"201": json_answer("Created", shown) | {"headers": where | ETAG}}
        if self._action == "retrieve":
            found = json_answer("The object", shaped(resource, shown, self.registry)) | {
                "headers": ETAG
            }
            return {"200": found, "304": {"description": "Unchanged", "headers": ETAG}}
        if self._action == "diff":
            return {"200": json_answer("What differs", DIFFERENCES)}
        if self._action in STANDARD_ACTIONS | DERIVED_ACTIONS:
            return {"200": json_answer("The object", shown) | {"headers": ETAG}}
        found = {"200": json_answer("The object as it now is, or the operation's result", {})}
        if self._operation is not None and self._operation.background:
            found["202"] = self._accepted()
        return found

    def _accepted(self) -> Schema:
        from platform_core.operations.resources import OperationSerializer  # a resource itself

        shown = self.resolve_serializer(OperationSerializer(), "response").ref
        return json_answer("It goes on in the background", shown) | {"headers": ACCEPTED}

    def _problem(self) -> Schema:
        component = ResolvedComponent(  # type: ignore[no-untyped-call]
            name="Problem",
            type=ResolvedComponent.SCHEMA,
            object="platform_core.Problem",
            schema=PROBLEM_SCHEMA,
        )
        self.registry.register_on_missing(component)
        ref: Schema = component.ref
        return ref
