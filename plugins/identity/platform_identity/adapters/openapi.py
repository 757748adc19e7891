"""The sign-in library's own description of its routes, cut down to what this plugin mounts, in OpenAPI 3.1."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import yaml
from django.conf import settings
from django.urls import Resolver404, resolve

from platform_core.resource import not_found
from platform_identity.adapters.answers import answers_of, as_answered
from platform_identity.authentication import BearerScheme, SessionScheme

Schema = dict[str, Any]

_URLCONF = "platform_identity.auth_urls"
_SHIPPED_PREFIX = "/_allauth/"
_CLIENT = "{client}"
_METHODS = ("get", "post", "put", "patch", "delete")
_REF = re.compile(r"#/components/(\w+)/(\w+)\Z")
_PARAMETERS = "#/components/parameters/"
_CLIENT_PARAMETER = {"$ref": f"{_PARAMETERS}Client"}
_TOKEN_PARAMETER = {"$ref": f"{_PARAMETERS}SessionToken"}
_OTHER_NAMES = ("username", "phone")
"""What people may sign in by elsewhere; here it is their address only."""

_TOKEN_SCHEME = {"type": "apiKey", "in": "header", "name": "X-Session-Token"}


def describe_sign_in() -> Schema:
    """Return paths and components of the routes in ``auth_urls`` that are open, with the methods they offer."""
    source = _shipped()
    paths = {
        path: item
        for shipped_path, shipped_item in source["paths"].items()
        for path, item in _mounted(shipped_path.removeprefix(_SHIPPED_PREFIX), shipped_item)
    }
    used = _used_components(paths, source["components"])
    return {
        "paths": paths,
        "components": {**used, "securitySchemes": {"SessionToken": _TOKEN_SCHEME}},
    }


@cache
def _shipped() -> Schema:
    """Return the library's description in 3.1; reading it takes half a second, and nobody changes it."""
    text = files("allauth.headless.spec").joinpath("doc/openapi.yaml").read_text("utf-8")
    found: Schema = _in_31(yaml.safe_load(text))
    return found


def _mounted(path: str, item: Schema) -> Iterator[tuple[str, Schema]]:
    """Yield ``path`` and ``item`` as they are served: for each client, for one of them, or not at all."""
    if _CLIENT not in path:
        view = _view_at(path)
        if view is not None:
            yield path, _operations(path, item, view, pinned=True)
        return
    views = {
        client: _view_at(path.replace(_CLIENT, client)) for client in settings.HEADLESS_CLIENTS
    }
    served = {client: view for client, view in views.items() if view is not None}
    if len(served) == 2:
        yield path, _operations(path, item, next(iter(served.values())), pinned=False)
        return
    for client, view in served.items():
        yield path.replace(_CLIENT, client), _operations(path, item, view, pinned=True)


def _view_at(path: str) -> type[Any] | None:
    try:
        found: Callable[..., Any] = resolve(f"/{path}", urlconf=_URLCONF).func
    except Resolver404:
        return None
    return None if found is not_found else getattr(found, "view_class", None)


def _operations(path: str, item: Schema, view: type[Any], *, pinned: bool) -> Schema:
    name = path.partition("/v1/")[2]
    return {
        method: _operation(item[method], f"{name}_{method}", view, pinned=pinned)
        for method in _METHODS
        if method in item and hasattr(view, method)
    }


def _operation(shipped: Schema, name: str, view: type[Any], *, pinned: bool) -> Schema:
    """Return the operation with the ways to sign in that it takes; the token's header is one of them."""
    told = shipped.get("parameters", [])
    dropped = [_TOKEN_PARAMETER, *([_CLIENT_PARAMETER] if pinned else [])]
    schemes = [str(BearerScheme.name), str(SessionScheme.name)]
    if _TOKEN_PARAMETER in told:
        schemes.append("SessionToken")
    security: list[Schema] = [{scheme: []} for scheme in schemes]
    signed_in = _needs_sign_in(view)
    if not signed_in:
        security.append({})
    answers = answers_of(
        shipped,
        _shipped()["components"],
        name=name,
        unsafe=not name.endswith("_get"),
        signed_in=signed_in,
        pinned=pinned,
    )
    parameters = [one for one in told if one not in dropped]
    return {
        **shipped,
        "operationId": name,
        "parameters": parameters,
        "responses": answers,
        "security": security,
    }


def _needs_sign_in(view: type[Any]) -> bool:
    # The library's modules import each other in a ring, which can be entered by its URLs only.
    from allauth.headless.base.views import AuthenticatedAPIView

    return issubclass(view, AuthenticatedAPIView)


def _used_components(paths: Schema, components: Schema) -> Schema:
    """Return the ``components`` that ``paths`` refer to, directly or through others."""
    used: Schema = {}
    waiting = list(_references(paths))
    while waiting:
        section, name = waiting.pop()
        known = name in components.get(section, {})  # the core brings the problems' schema
        if known and name not in used.setdefault(section, {}):
            used[section][name] = components[section][name]
            waiting.extend(_references(used[section][name]))
    return used


def _references(node: Any) -> Iterator[tuple[str, str]]:
    if isinstance(node, list):
        for inner in node:
            yield from _references(inner)
    if isinstance(node, Mapping):
        target = node.get("$ref")
        found = _REF.match(target) if isinstance(target, str) else None
        if found is not None:
            yield found[1], found[2]
        for inner in node.values():
            yield from _references(inner)


def _in_31(node: Any) -> Any:
    """Return a node of OpenAPI 3.0 in the words of 3.1, without the other names to sign in by."""
    if isinstance(node, list):
        return [_in_31(inner) for inner in node if not _asks_for_other_names(inner)]
    if not isinstance(node, dict):
        return node
    # A re-authentication fits more than one of the ways to authenticate.
    found = {
        "anyOf" if key == "oneOf" else key: _in_31(inner)
        for key, inner in node.items()
        if key != "nullable"
    }
    if isinstance(found.get("properties"), dict):
        kept = found["properties"].items()
        found["properties"] = {key: one for key, one in kept if key not in _OTHER_NAMES}
    found = as_answered(found)
    return _or_null(found) if node.get("nullable") is True else found


def _asks_for_other_names(node: Any) -> bool:
    required = node.get("required") if isinstance(node, dict) else None
    return isinstance(required, list) and any(name in required for name in _OTHER_NAMES)


def _or_null(schema: Schema) -> Schema:
    kind = schema.get("type")
    if kind is None:
        return {"anyOf": [schema, {"type": "null"}]}
    kinds = kind if isinstance(kind, list) else [kind]
    return {**schema, "type": [*kinds, "null"]}
