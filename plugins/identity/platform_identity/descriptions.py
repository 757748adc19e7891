"""What identity's own routes tell about themselves in the OpenAPI document."""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]

_TEXT: Schema = {"type": "string"}
_UUID_OR_NULL: Schema = {"type": ["string", "null"], "format": "uuid"}
_MOMENT_OR_NULL: Schema = {"type": ["string", "null"], "format": "date-time"}
_CHANGEABLE: Schema = {
    "display_name": {"type": "string", "maxLength": 200},
    "language": {"type": "string", "maxLength": 12, "description": "A language code."},
}
_ROLE: Schema = {
    "name": _TEXT,
    "title": _TEXT,
    "scope": {"type": "string", "enum": ["deployment", "unit", "object"]},
    "unit": _UUID_OR_NULL,
    "object_model": _TEXT,
    "object_id": _UUID_OR_NULL,
    "starts_at": _MOMENT_OR_NULL,
    "ends_at": _MOMENT_OR_NULL,
}
_SECTION: Schema = {
    "key": _TEXT,
    "title": _TEXT,
    "available": {"type": "boolean", "description": "False when the plugin's part failed."},
    "data": {"description": "What the plugin tells, as its documentation says."},
}
_PROFILE: Schema = {
    "id": {"type": "string", "format": "uuid"},
    "email": {"type": "string", "format": "email"},
    **_CHANGEABLE,
    "roles": {"type": "array", "items": {"$ref": "#/components/schemas/Role"}},
    "permissions": {
        "type": "array",
        "items": _TEXT,
        "description": "The names of the permissions held in any scope.",
    },
    "sections": {
        "type": "array",
        "items": {"$ref": "#/components/schemas/Section"},
        "description": "What other plugins add to the profile.",
    },
}
_REFUSALS = {
    400: "The body is not valid JSON",
    401: "Nobody is signed in",
    403: "The CSRF token of the browser's session is missing or wrong",
    404: "The actor is no user, so there is no profile",
    422: "The input is not acceptable",
}


def describe_profile() -> Schema:
    """Return how ``me`` is read and changed."""
    profile = _json({"$ref": "#/components/schemas/Profile"})
    change = _json({"$ref": "#/components/schemas/Change"})
    done = {"200": {"description": "The profile", **profile}}
    read = {
        "summary": "Who is signed in",
        "description": "The profile of the signed-in user, with roles and permissions.",
        "responses": done | _refused(401, 404),
    }
    changed = {
        "summary": "Change name and language",
        "description": "What is left out stays as it is.",
        "requestBody": change,
        "responses": done | _refused(400, 401, 403, 404, 422),
    }
    schemas = {"Profile": _object(_PROFILE), "Role": _object(_ROLE)}
    schemas["Section"] = _object(_SECTION)
    schemas["Change"] = {
        "type": "object",
        "properties": _CHANGEABLE,
        "additionalProperties": False,
    }
    return {"paths": {"": {"get": read, "patch": changed}}, "components": {"schemas": schemas}}


def _object(properties: Schema) -> Schema:
    return {"type": "object", "properties": properties, "required": list(properties)}


def _json(schema: Schema) -> Schema:
    return {"content": {"application/json": {"schema": schema}}}


def _refused(*statuses: int) -> Schema:
    schema = {"$ref": "#/components/schemas/Problem"}
    content = {"application/problem+json": {"schema": schema}}
    return {
        str(status): {"description": _REFUSALS[status], "content": content} for status in statuses
    }
