"""What routes tell about themselves, made part of the OpenAPI document."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from django.urls import URLPattern, URLResolver
from django.utils.functional import Promise
from drf_spectacular.validation import validate_schema
from jsonschema import ValidationError

from platform_core.contributions import PUBLIC

if TYPE_CHECKING:
    from platform_core.contributions import Route

Schema = dict[str, Any]

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")

_Pattern = TypeVar("_Pattern", URLPattern, URLResolver)
_MARK = "described_route"
_REF = re.compile(r"#/components/(?P<section>\w+)/(?P<name>[\w.-]+)(?P<rest>/.*)?\Z")
_CONVERTED = re.compile(r"<(?:[^>:]+:)?([^>]+)>")


@dataclass(frozen=True, slots=True)
class MountedRoute:
    """A route that describes itself, the plugin that owns it, and where it is mounted."""

    slug: str
    route: Route
    mount: str

    @property
    def operation_prefix(self) -> str:
        """Return what leads the ``operationId`` of each of its operations."""
        return f"{self.slug}_{self.route.name.replace('-', '_')}_"

    @property
    def component_prefix(self) -> str:
        """Return what leads the name of each of its components."""
        return "".join(part.title() for part in re.split("[_-]", f"{self.slug}_{self.route.name}"))

    def refuse(self, what: str) -> NoReturn:
        """Raise ``TypeError`` that names plugin and route, and says ``what`` is wrong."""
        raise TypeError(f"{self.slug}: the description of the route {self.route.path!r} {what}")


def mark_described(pattern: _Pattern, slug: str, route: Route) -> _Pattern:
    """Return ``pattern`` with a note that ``route`` of the plugin ``slug`` is mounted there."""
    if route.describe is not None:
        setattr(pattern, _MARK, (slug, route))
    return pattern


def described_routes(
    patterns: Sequence[URLPattern | URLResolver], prefix: str = "/"
) -> Iterator[MountedRoute]:
    """Yield the routes below ``patterns`` that describe themselves, in the order of their URLs."""
    for pattern in patterns:
        mount = prefix + str(pattern.pattern)
        marked = getattr(pattern, _MARK, None)
        if marked is not None:
            slug, route = marked
            yield MountedRoute(slug, route, _CONVERTED.sub(r"{\1}", mount))
        elif isinstance(pattern, URLResolver):
            yield from described_routes(pattern.url_patterns, mount)


def merge_descriptions(document: Schema, routes: Iterator[MountedRoute]) -> None:
    """Add the description of each route to ``document``, under names that are the route's own.

    Raises ``TypeError``, which names plugin and route, for a description that is not valid, that refers to what
    does not exist, or that describes what the document describes already.
    """
    schemes = document.setdefault("components", {}).get("securitySchemes", {})
    common: list[Schema] = [{name: []} for name in schemes]
    taken = {
        operation["operationId"]
        for item in document["paths"].values()
        for _method, operation in operations_in(item)
    }
    for mounted in routes:
        _merge(document, mounted, common, taken)


def operations_in(item: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Return the methods of a path item with their operations."""
    return [(method, item[method]) for method in METHODS if method in item]


def _merge(document: Schema, mounted: MountedRoute, common: list[Schema], taken: set[str]) -> None:
    paths, own = _checked(document, mounted)
    names = {
        (section, name): mounted.component_prefix + name for section in own for name in own[section]
    }
    components = document["components"]
    for (section, name), full in names.items():
        there = components.setdefault(section, {})
        if full in there:
            mounted.refuse(f"has the component {full!r}, which exists already")
        there[full] = _renamed(own[section][name], names)
    for path, item in paths.items():
        if path in document["paths"]:
            mounted.refuse(f"describes {path}, which is described already")
        for method, operation in operations_in(item):
            _adapt(operation, method, path.removeprefix(mounted.mount), mounted, common)
            _take(operation["operationId"], taken, mounted)
            _rename_schemes(operation, names, components, mounted)
        document["paths"][path] = _renamed(item, names)
        _check_references(document["paths"][path], components, mounted)
    for (section, _name), full in names.items():
        _check_references(components[section][full], components, mounted)


def _take(identifier: str, taken: set[str], mounted: MountedRoute) -> None:
    if identifier in taken:
        mounted.refuse(f"has the operationId {identifier!r}, which is taken")
    taken.add(identifier)


def _checked(document: Schema, mounted: MountedRoute) -> tuple[Schema, Schema]:
    """Return the full paths and the components of the description, as plain values of our own."""
    describe = mounted.route.describe
    fragment = _plain(describe() if describe is not None else {}, mounted)
    if not isinstance(fragment, dict) or not isinstance(fragment.get("paths"), dict):
        mounted.refuse("is no mapping with paths")
    unknown = sorted(set(fragment) - {"paths", "components"})
    if unknown:
        mounted.refuse(f"has {unknown[0]!r}; it may have paths and components")
    if any(path.startswith("/") for path in fragment["paths"]):
        mounted.refuse("has a path that starts with a slash; paths are relative to the route")
    paths = {mounted.mount + path: item for path, item in fragment["paths"].items()}
    components = fragment.get("components", {})
    alone = {"openapi": document["openapi"], "info": document["info"], "paths": paths}
    try:
        validate_schema({**alone, "components": components})  # type: ignore[no-untyped-call]
    except ValidationError as error:
        where = "/".join(str(part) for part in error.absolute_path)
        mounted.refuse(f"is no valid OpenAPI at {where}: {error.message[:300]}")
    return paths, components


def _plain(node: Any, mounted: MountedRoute) -> Any:
    if isinstance(node, Mapping):
        if not all(isinstance(key, str) for key in node):
            mounted.refuse("has a key that is no text")
        return {key: _plain(inner, mounted) for key, inner in node.items()}
    if isinstance(node, (list, tuple)):
        return [_plain(inner, mounted) for inner in node]
    if isinstance(node, Promise):
        return str(node)
    if node is not None and not isinstance(node, (str, bool, int, float)):
        mounted.refuse(f"has a value that JSON cannot say: {type(node).__name__}")
    return node


def _adapt(
    operation: Schema, method: str, path: str, mounted: MountedRoute, common: list[Schema]
) -> None:
    own = re.sub(r"[^A-Za-z0-9]+", "_", operation.get("operationId") or f"{path}_{method}")
    operation["operationId"] = mounted.operation_prefix + own.strip("_")
    operation["tags"] = [mounted.slug]
    if "security" not in operation:
        anyone: list[Schema] = [{}] if mounted.route.access == PUBLIC else []
        operation["security"] = [*common, *anyone]


def _rename_schemes(
    operation: Schema,
    names: Mapping[tuple[str, str], str],
    components: Schema,
    mounted: MountedRoute,
) -> None:
    operation["security"] = [
        {names.get(("securitySchemes", name), name): scopes for name, scopes in one.items()}
        for one in operation["security"]
    ]
    for name in (name for one in operation["security"] for name in one):
        if name not in components.get("securitySchemes", {}):
            mounted.refuse(f"asks for the security scheme {name!r}, which does not exist")


def _renamed(node: Any, names: Mapping[tuple[str, str], str]) -> Any:
    """Return ``node`` with each reference to a component of the description under its new name."""
    if isinstance(node, dict):
        return {key: _renamed(inner, names) for key, inner in node.items()}
    if isinstance(node, list):
        return [_renamed(inner, names) for inner in node]
    found = _REF.match(node) if isinstance(node, str) else None
    if found is None:
        return node
    section, name, rest = found["section"], found["name"], found["rest"] or ""
    return f"#/components/{section}/{names.get((section, name), name)}{rest}"


def _check_references(node: Any, components: Schema, mounted: MountedRoute) -> None:
    if isinstance(node, list):
        for inner in node:
            _check_references(inner, components, mounted)
    if not isinstance(node, dict):
        return
    target = node.get("$ref")
    if isinstance(target, str):
        found = _REF.match(target)
        if found is None or found["name"] not in components.get(found["section"], {}):
            mounted.refuse(f"refers to {target}, which does not exist")
    for inner in node.values():
        _check_references(inner, components, mounted)
