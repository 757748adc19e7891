"""What resources answer, as OpenAPI says it: pages, histories, and the refusals that each action may end with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from platform_core.resource.openapi.conventions import Schema, query_parameter
from platform_core.resource.pagination import DEFAULT_LIMIT, MAX_LIMIT
from platform_core.resource.rendering import JSON
from platform_core.resource.representation import partial_plan_of

if TYPE_CHECKING:
    from platform_core.resource.base import Resource

STATUS_TITLES = {
    400: "The body is not valid JSON",
    401: "Nobody is signed in",
    403: "The actor may not do this",
    404: "There is no such thing for this actor",
    406: "The client takes no JSON",
    409: "The state of the data forbids it",
    412: "If-Match names another state of the object",
    415: "The body is not JSON",
    413: "The body is too large",
    422: "The input is not acceptable",
    426: "HTTP/1.1 is needed",
    428: "Changes need If-Match here",
    429: "The caller has used up a limit",
    500: "Something went wrong here",
    503: "The database cannot answer now",
}
ALWAYS_POSSIBLE = (401, 403, 406, 429, 500, 503)
REFUSALS = {
    "list": (422,),
    "retrieve": (404, 422),
    "history": (404, 422),
    "diff": (404, 422),
    "revert": (400, 404, 409, 412, 415, 422),
    "create": (400, 409, 415, 422),
    "update": (400, 404, 409, 412, 415, 422),
    "partial_update": (400, 404, 409, 412, 415, 422),
    "destroy": (404, 409, 412, 422),
    "restore": (404, 409, 412, 422),
    "export": (409, 422, 426),
    "import": (400, 409, 413, 415, 422),
}
OPERATION_REFUSALS = (400, 404, 409, 412, 415, 422)
BULK_REFUSALS = (400, 409, 415, 422)
READS = ("list", "retrieve", "history", "diff", "export")

PROBLEM_SCHEMA: Schema = {
    "type": "object",
    "description": "Problem details (RFC 9457).",
    "properties": {
        "type": {"type": "string", "format": "uri", "description": "The kind of problem."},
        "title": {"type": "string", "description": "The kind of problem, for people."},
        "status": {"type": "integer", "description": "The status of the answer."},
        "code": {"type": "string", "description": "Stable, for machines."},
        "detail": {"type": "string", "description": "What happened, for people."},
        "request_id": {"type": "string", "description": "Finds the request in the logs."},
        "errors": {
            "type": "array",
            "description": "What is wrong with which part of the request.",
            "items": {
                "type": "object",
                "properties": {
                    "pointer": {"type": "string", "description": "JSON Pointer into the body."},
                    "parameter": {"type": "string", "description": "The query parameter."},
                    "code": {"type": "string", "description": "Stable, for machines."},
                    "detail": {"type": "string", "description": "For people."},
                },
                "required": ["code", "detail"],
            },
        },
        "referrers": {
            "type": "array",
            "description": "What still refers to an object that was to be deleted.",
            "items": {
                "type": "object",
                "properties": {
                    "plugin": {"type": "string", "description": "The slug that owns the rows."},
                    "model": {"type": "string"},
                    "table": {"type": "string"},
                    "label": {"type": "string"},
                    "count": {"type": "integer"},
                    "way_out": {"type": "string"},
                },
                "required": ["plugin", "model", "table", "label", "count", "way_out"],
            },
        },
    },
    "required": ["type", "title", "status", "code", "detail", "request_id"],
}


def page_parameters() -> list[Schema]:
    """Return the parameters that walk through pages."""
    limit = {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT}
    return [
        query_parameter("limit", limit, "Rows on a page."),
        query_parameter("cursor", {"type": "string"}, "Where the page starts; taken from `next`."),
    ]


def json_answer(description: str, schema: Schema) -> Schema:
    """Return an answer whose body is JSON of ``schema``."""
    return {"description": description, "content": {JSON: {"schema": schema}}}


def page_of(items: Schema) -> Schema:
    """Return the schema of a page of ``items``."""
    return {
        "type": "object",
        "properties": {
            "data": {"type": "array", "items": items},
            "next": {"type": ["string", "null"], "format": "uri"},
            "prev": {"type": ["string", "null"], "format": "uri"},
            "count": {"type": "integer", "description": "With include=count; 10000 at most."},
            "count_is_capped": {"type": "boolean", "description": "Whether there are more."},
        },
        "required": ["data", "next", "prev"],
    }


def history_entry(resource: Resource) -> Schema:
    """Return the schema of one entry of the history of a resource's rows."""
    history: Any = resource.model.history.model  # type: ignore[attr-defined]
    kept = [field.attname for field in history._meta.concrete_fields]
    names = [one.name for one in partial_plan_of(resource.serializer_class(), kept).columns]
    text = {"type": "string"}
    kinds = ["created", "changed", "deleted", "restored"]
    properties: Schema = {
        "id": {"type": "integer"},
        "at": {"type": "string", "format": "date-time"},
        "type": {"type": "string", "enum": kinds},
        "actor": {
            "type": "object",
            "properties": {"id": {"type": ["string", "null"], "format": "uuid"}, "kind": text},
            "required": ["id", "kind"],
        },
        "reason": text,
        "request_id": text,
        "version": {"type": "integer"},
        "snapshot": {
            "type": "object",
            "description": "The columns as they were.",
            "properties": {name: {} for name in names},
        },
    }
    return {"type": "object", "properties": properties, "required": list(properties)}
