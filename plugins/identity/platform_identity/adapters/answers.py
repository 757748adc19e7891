"""What the sign-in routes answer beyond the library's own description: what this deployment does around them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

Schema = dict[str, Any]

REFRESH = "tokens/refresh_post"
_PROBLEM = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
_UNSAFE = {
    "400": "The body is not a flat JSON object",
    "403": "The CSRF token of the browser's session is missing or wrong",
}
_STATUS_ONLY = {
    "type": "object",
    "properties": {"status": {"type": "integer", "description": "The status of the answer."}},
    "required": ["status"],
}
_SESSION_TOKEN = {"$ref": "#/components/parameters/SessionToken"}
_RESPONSE = re.compile(r"#/components/responses/(\w+)\Z")


def answers_of(
    operation: Schema,
    components: Schema,
    *,
    name: str,
    unsafe: bool,
    signed_in: bool,
    pinned: bool,
) -> Schema:
    """Return the answers of the library's ``operation`` with those that it does not know of."""
    found = {status: _resolved(one, components) for status, one in operation["responses"].items()}
    if signed_in:
        found.setdefault("401", components["responses"]["Authentication"])
    if _SESSION_TOKEN in operation.get("parameters", ()):
        found.setdefault("410", components["responses"]["SessionGone"])
    if not pinned:
        found["404"] = {"description": "There is no such client", "content": _PROBLEM}
    if name == REFRESH:
        refused = {"description": "The refresh token is not valid any more"}
        found["401"] = {**refused, "content": {"application/json": {"schema": _STATUS_ONLY}}}
    for status, description in _UNSAFE.items() if unsafe else ():
        own = found.get(status, {"description": description})
        found[status] = {**own, "content": {**own.get("content", {}), **_PROBLEM}}
    return found


def _resolved(response: Schema, components: Schema) -> Schema:
    """Return ``response``, or what it refers to: an answer is completed for one operation alone."""
    found = _RESPONSE.match(str(response.get("$ref", "")))
    if found is None:
        return response
    resolved: Schema = components["responses"][found[1]]
    return resolved


def as_answered(schema: Mapping[str, Any]) -> Schema:
    """Return a schema of the library with what it answers all the same: a false, a null, and a flow that it leaves out."""
    choices = schema.get("enum", ())
    if schema.get("type") == "boolean" and choices == [True]:
        return {key: value for key, value in schema.items() if key != "enum"}
    if {"login_by_code", "verify_email"} <= set(map(str, choices)):
        return {**schema, "enum": sorted({*choices, "password_reset_by_code"})}
    told = schema.get("properties")
    if isinstance(told, dict) and "is_authenticated" in told:  # null for a session that is gone
        known = {**told["is_authenticated"], "type": ["boolean", "null"]}
        return {**schema, "properties": {**told, "is_authenticated": known}}
    return dict(schema)
