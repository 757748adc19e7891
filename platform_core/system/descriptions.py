"""OpenAPI of what the core serves about itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from platform_core.resource.openapi.answers import (
    ALWAYS_POSSIBLE,
    PROBLEM_SCHEMA,
    STATUS_TITLES,
    json_answer,
    page_of,
    page_parameters,
)
from platform_core.resource.openapi.conventions import (
    ETAG,
    IF_MATCH,
    IF_NONE_MATCH,
    Schema,
    query_parameter,
)
from platform_core.resource.problems import PROBLEM_JSON
from platform_core.resource.rendering import JSON

_PROBLEM = {"$ref": "#/components/schemas/Problem"}


def of_list(
    summary: str, properties: Mapping[str, Any], filters: Sequence[str], *, repeat: bool = True
) -> Schema:
    """Describe a list of rows with ``properties``; with ``repeat`` filters may be given several times."""
    own = [_filter(name, properties[name], repeat=repeat) for name in filters]
    parameters = [*page_parameters(), _fields(properties), *own]
    page = page_of({"$ref": "#/components/schemas/Row"})
    return _document(
        properties, {"get": _operation("list", summary, parameters, page, refusals=(422,))}
    )


def _filter(name: str, schema: Schema, *, repeat: bool) -> Schema:
    if not repeat:
        return query_parameter(name, schema, "Rows with this value only.")
    several: Schema = {"type": "array", "items": schema}
    found = query_parameter(name, several, "Rows with one of these values only.")
    return found | {"style": "form", "explode": True}


def of_row(summary: str, properties: Mapping[str, Any]) -> Schema:
    """Describe one row, found by its key."""
    parameters = [_key(), _fields(properties)]
    return _document(properties, {"get": _retrieval(summary, parameters)})


def of_changeable_row(
    summary: str,
    properties: Mapping[str, Any],
    body: Mapping[str, Any],
    *,
    required: Sequence[str],
) -> Schema:
    """Describe one row with a state in ``ETag``, and how it is changed by a ``body`` with these properties."""
    got = _retrieval(summary, [_key(), _fields(properties), IF_NONE_MATCH])
    got["responses"]["200"]["headers"] = ETAG
    got["responses"]["304"] = {"description": "It is still in that state."}
    changed = _operation(
        "partial_update",
        f"{summary}: change one of them",
        [_key(), *_unsafe(conditional=True)],
        _ROW,
        refusals=(400, 404, 409, 412, 422),
    )
    changed["requestBody"] = _body(body, required)
    changed["responses"]["200"]["headers"] = ETAG
    return _document(properties, {"get": got, "patch": changed})


def of_action(
    name: str,
    summary: str,
    properties: Mapping[str, Any],
    body: Mapping[str, Any] | None = None,
    *,
    conditional: bool = False,
) -> Schema:
    """Describe a POST that does something to one row, and answers the row; ``body`` are properties, none required.

    With ``conditional`` the row has a state that ``If-Match`` may name.
    """
    refusals = (400, 404, 409, 412, 422) if conditional else (404, 409, 422)
    parameters = [_key(), *_unsafe(conditional=conditional)]
    done = _operation(name, summary, parameters, _ROW, refusals=refusals)
    if conditional:
        done["responses"]["200"]["headers"] = ETAG
    if body is not None:
        done["requestBody"] = _body(body, ())
    return _document(properties, {"post": done})


_ROW: Schema = {"$ref": "#/components/schemas/Row"}


def _retrieval(summary: str, parameters: list[Schema]) -> Schema:
    return _operation("retrieve", f"{summary}: one of them", parameters, _ROW, refusals=(404, 422))


def _body(properties: Mapping[str, Any], required: Sequence[str]) -> Schema:
    schema: Schema = {
        "type": "object",
        "properties": dict(properties),
        "additionalProperties": False,
    }
    if required:
        schema["required"] = [*required]
    return {"required": bool(required), "content": {JSON: {"schema": schema}}}


def _unsafe(*, conditional: bool) -> list[Schema]:
    """Return the parameters of what changes something."""
    dry_run = query_parameter("dry_run", {"type": "boolean"}, "Answer the same and change nothing.")
    again: Schema = {
        "in": "header",
        "name": "Idempotency-Key",
        "schema": {"type": "string", "minLength": 1, "maxLength": 255},
        "description": "Makes the call safe to repeat.",
    }
    return [dry_run, again, *([IF_MATCH] if conditional else [])]


def _operation(
    name: str, summary: str, parameters: list[Schema], answer: Schema, *, refusals: Sequence[int]
) -> Schema:
    problems = {
        str(status): {
            "description": STATUS_TITLES[status],
            "content": {PROBLEM_JSON: {"schema": _PROBLEM}},
        }
        for status in sorted({*ALWAYS_POSSIBLE, *refusals} - {406})
    }
    return {
        "operationId": name,
        "summary": summary,
        "parameters": parameters,
        "responses": {"200": json_answer(summary, answer), **problems},
    }


def _document(properties: Mapping[str, Any], item: Schema) -> Schema:
    row: Schema = {"type": "object", "properties": dict(properties)}
    schemas = {"Row": row, "Problem": PROBLEM_SCHEMA}
    return {"paths": {"": item}, "components": {"schemas": schemas}}


def _key() -> Schema:
    return {"in": "path", "name": "key", "required": True, "schema": {"type": "string"}}


def _fields(properties: Mapping[str, Any]) -> Schema:
    items = {"type": "string", "enum": [*properties]}
    schema: Schema = {"type": "array", "items": items, "minItems": 1}
    parameter = query_parameter("fields", schema, "Show these fields only.")
    return parameter | {"style": "form", "explode": False}
