"""How the conventions that all resources keep are told in OpenAPI: shapes, conditions, retries, trials and bulk calls."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from django.utils.translation import override
from drf_spectacular.plumbing import ComponentRegistry, ResolvedComponent

from platform_core.access import Always
from platform_core.resource import declared
from platform_core.resource.bulk import MOST_ITEMS
from platform_core.resource.dry_run import DRY_RUN
from platform_core.resource.expansion import references_of
from platform_core.resource.mounted import serving
from platform_core.resource.shape import COUNT, EXPAND, FIELDS, INCLUDE
from platform_core.resource.versions import FROM, TO

if TYPE_CHECKING:
    from platform_core.access import Rule
    from platform_core.resource.base import Resource

Schema = dict[str, Any]

ID_SCHEMAS: dict[str, Schema] = {
    "uuid": {"type": "string", "format": "uuid"},
    "int": {"type": "integer", "minimum": 0},
}
"""What an id is, by the converter that reads it from a URL."""
ETAG: Schema = {
    "ETag": {"schema": {"type": "string"}, "description": "The state of the object, for If-Match."}
}

DEPRECATION_HEADERS: Schema = {
    "Deprecation": {
        "schema": {"type": "string", "pattern": "^@[0-9]+$"},
        "description": "Since when it is deprecated (RFC 9745).",
    },
    "Sunset": {
        "schema": {"type": "string"},
        "description": "From when on it may be gone (RFC 8594).",
    },
}


def query_parameter(name: str, schema: Schema, description: str) -> Schema:
    """Return the description of a query parameter."""
    return {"in": "query", "name": name, "schema": schema, "description": description}


def _header(name: str, description: str, **schema: Any) -> Schema:
    found = {"type": "string", **schema}
    return {"in": "header", "name": name, "schema": found, "description": description}


IF_NONE_MATCH = _header("If-None-Match", "304 when the object is still in this state.")
IF_MATCH = _header("If-Match", "412 when the object is in another state.")
_KEY = _header(
    "Idempotency-Key",
    "Repeating the call with the same key answers the same and does nothing again, for 24 hours.",
    pattern=r"^[\x21-\x7e]{1,255}$",
)
PREFER_ASYNC = _header("Prefer", "respond-async: 202 at once, and an operation to watch.")
ACCEPTED: Schema = {
    "Location": {
        "schema": {"type": "string", "format": "uri-reference"},
        "description": "The operation.",
    },
    "Retry-After": {
        "schema": {"type": "integer"},
        "description": "Seconds until it is worth looking.",
    },
}
_PREFER = _header("Prefer", "handling=strict: all items or none.")


_VERSION: Schema = {"type": "integer", "minimum": 0, "maximum": 10**18 - 1}
VERSION_IN_PATH: Schema = {
    "in": "path",
    "name": "version",
    "required": True,
    "description": "The number of the version to go back to.",
    "schema": _VERSION,
}
DIFF_QUERY = [
    {**query_parameter(name, _VERSION, "The number of a version."), "required": True}
    for name in (FROM, TO)
]
DIFFERENCES: Schema = {
    "type": "object",
    "properties": {
        FROM: _VERSION,
        TO: _VERSION,
        "changes": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"field": {"type": "string"}, "before": {}, "after": {}},
                "required": ["field", "before", "after"],
            },
        },
    },
    "required": [FROM, TO, "changes"],
}


def ordering_pattern(resource: Resource) -> str:
    """Return the pattern of the orders that a client may choose."""
    one = f"-?({'|'.join(sorted(map(re.escape, declared.ordering_names(type(resource)))))})"
    return f"^{one}(,{one})*$"


def shape_parameters(resource: Resource) -> list[Schema]:
    """Return what a client may ask to see of rows, and on a list of the whole."""
    serializer = resource.serializer_class()
    names = [name for name, field in serializer.fields.items() if not field.write_only]
    told = " Unknown is one that the caller may read in no row." if resource.field_rules else ""
    found = [_names(FIELDS, names, f"Show these fields only.{told}")]
    references = sorted(references_of(serializer))
    if references:
        pattern = f"^({'|'.join(references)})(\\.[a-z_]+)?$"
        items = {"type": "string", "pattern": pattern}
        found.append(_listed(EXPAND, items, f"Show these objects in the place of their ids.{told}"))
    if resource.action == "list":
        schema: Schema = {"type": "string", "enum": [COUNT]}
        found.append(query_parameter(INCLUDE, schema, "Also say how many rows there are."))
    return found


def _names(name: str, choices: list[str], description: str) -> Schema:
    return _listed(name, {"type": "string", "enum": choices}, description)


def _listed(name: str, items: Schema, description: str) -> Schema:
    schema: Schema = {"type": "array", "items": items, "minItems": 1}
    return query_parameter(name, schema, description) | {"style": "form", "explode": False}


def write_parameters(resource: Resource, method: str, *, of_a_row: bool) -> list[Schema]:
    """Return the parameter and headers that an unsafe call takes."""
    found = [query_parameter(DRY_RUN, {"type": "boolean"}, "Answer the same and change nothing.")]
    if of_a_row and declared.has_version(resource.model):
        found.append({**IF_MATCH, "required": resource.requires_match})
    if method in ("POST", "PATCH"):
        found.append(_KEY)
    if resource.is_bulk or resource.action == "import":
        found.append(_PREFER)
    return found


def shaped(resource: Resource, shown: Schema, registry: ComponentRegistry) -> Schema:
    """Return the schema of an object that is shown whole, or as ``fields`` and ``expand`` say.

    ``shown`` refers to the component of the whole, whose properties a part has too. In the place of a reference there
    may be an object. The part is a component of its own: a reference for each property of each answer takes those
    who read the document minutes to follow.
    """
    serializer: Any = resource.serializer_class()
    references = references_of(serializer)
    name = shown["$ref"].rpartition("/")[2]
    whole: Any = registry[name, ResolvedComponent.SCHEMA].schema
    part = ResolvedComponent(  # type: ignore[no-untyped-call]
        name=f"{name}Part",
        type=ResolvedComponent.SCHEMA,
        schema={
            "type": "object",
            "description": "With fields or expand: as they say.",
            "properties": {
                one: _OPENED if one in references else _same(shown, one, schema)
                for one, schema in whole["properties"].items()
            },
        },
        object=resource.serializer_class,
    )
    registry.register_on_missing(part)
    return {"anyOf": [shown, part.ref]}


_OPENED: Schema = {
    "type": ["string", "integer", "object", "array", "null"],
    "description": "The id, or the ids; with expand the objects themselves.",
}


def _same(shown: Schema, name: str, schema: Schema) -> Schema:
    """Return the schema of a property of a part; sets of choices are named once, where the whole is."""
    has_choices = "enum" in schema or "enum" in schema.get("items", {})
    return {"$ref": f"{shown['$ref']}/properties/{name}"} if has_choices else schema


def with_field_rules(schema: Schema, serializer_class: type[Any], direction: str) -> Schema:
    """Return the schema of a body or an answer, which says of each protected field when it is not there."""
    verb, told = ("view", _ABSENT) if direction == "response" else ("change", _NOT_SENT)
    rules: list[tuple[str, Rule]] = [
        (name, getattr(access, verb))
        for resource in serving(serializer_class)
        for name, access in resource.field_rules.items()
    ]
    for name, rule in rules:
        one = schema.get("properties", {}).get(name)
        if one is None or type(rule) is Always:
            continue
        with override("en"):
            text = told.format(condition=rule.text())
        known = str(one.get("description", ""))
        if text not in known:
            one["description"] = f"{known} {text}".strip()
        if name in schema.get("required", ()):
            schema["required"] = [other for other in schema["required"] if other != name]
    if not schema.get("required", True):
        del schema["required"]
    return schema


_ABSENT = "Absent where the caller may not read it; that needs {condition}."
_NOT_SENT = "Not to be sent by who may not set it; that needs {condition}."


def bulk_request(item: Schema, action: str, id_converter: str) -> Schema:
    """Return the schema of the body of a bulk call."""
    if action != "create":
        about: Schema = {
            "type": "object",
            "properties": {
                "id": ID_SCHEMAS[id_converter],
                "if_match": {"type": "string", "description": "As the header If-Match."},
            },
            "required": ["id"],
        }
        item = {"allOf": [item, about]}
    items = {"type": "array", "items": item, "minItems": 1, "maxItems": MOST_ITEMS}
    return {
        "type": "object",
        "properties": {"items": items},
        "required": ["items"],
        "additionalProperties": False,
    }


def bulk_response(shown: Schema, problem: Schema) -> Schema:
    """Return the schema of the answer to a bulk call."""
    properties: Schema = {
        "index": {"type": "integer", "description": "The place of the item in the request."},
        "status": {"type": "integer", "description": "The status that it would have alone."},
        "data": {"anyOf": [shown, {}]},
        "problem": problem,
    }
    result = {"type": "object", "properties": properties, "required": ["index", "status"]}
    counts = {name: {"type": "integer"} for name in ("succeeded", "failed")}
    return {
        "type": "object",
        "properties": {"results": {"type": "array", "items": result}, **counts},
        "required": ["results", "succeeded", "failed"],
    }
