"""OpenAPI of what the core serves about itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from platform_core.resource.answers import (
    ALWAYS_POSSIBLE,
    PROBLEM_SCHEMA,
    STATUS_TITLES,
    json_answer,
    page_of,
    page_parameters,
)
from platform_core.resource.conventions import Schema, query_parameter
from platform_core.resource.problems import PROBLEM_JSON

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
    item = _operation(
        "retrieve",
        f"{summary}: one of them",
        [_key(), _fields(properties)],
        {"$ref": "#/components/schemas/Row"},
        refusals=(404, 422),
    )
    return _document(properties, {"get": item})


def of_action(name: str, summary: str, properties: Mapping[str, Any]) -> Schema:
    """Describe a POST without a body that does something to one row, and answers the row."""
    dry_run = query_parameter("dry_run", {"type": "boolean"}, "Answer the same and change nothing.")
    again: Schema = {
        "in": "header",
        "name": "Idempotency-Key",
        "schema": {"type": "string", "minLength": 1, "maxLength": 255},
        "description": "Makes the call safe to repeat.",
    }
    row = {"$ref": "#/components/schemas/Row"}
    refusals = (404, 409, 422)
    return _document(
        properties,
        {"post": _operation(name, summary, [_key(), dry_run, again], row, refusals=refusals)},
    )


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
