"""From resource classes and routes to URL patterns; what has no access rule does not start."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from django.core.exceptions import FieldDoesNotExist
from django.db import models
from django.urls import URLPattern, URLResolver, include, path

from platform_core.access import Policy, PolicyError
from platform_core.api_versions import FIRST, api_prefix, in_names
from platform_core.contributions import PUBLIC
from platform_core.registry.spelling import misspelt
from platform_core.resource.base import PERMISSION_ACTIONS, Resource
from platform_core.resource.bulk import BULK_PREFIX, bulk_routes
from platform_core.resource.declared import filters_of, name_of
from platform_core.resource.deprecation import deprecation_problems
from platform_core.resource.exports import EXPORT_PARAMETERS
from platform_core.resource.field_access import field_rule_problems
from platform_core.resource.filters import LIST_PARAMETERS, ORDERING, SEARCH
from platform_core.resource.gate import guard
from platform_core.resource.nesting import parents_of
from platform_core.resource.openapi.routes import mark_described
from platform_core.resource.operations import STANDARD_ACTIONS, operations_of
from platform_core.resource.rate_limits import RateLimit

if TYPE_CHECKING:
    from platform_core.contributions import Route

_COLLECTION = {"get": "list", "post": "create"}
_DETAIL = {
    "get": "retrieve",
    "put": "update",
    "patch": "partial_update",
    "delete": "destroy",
}
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*\Z")
_TOO_MANY = 10_000
_ORDERED_KINDS = (
    models.BooleanField,
    models.CharField,
    models.DateField,
    models.DecimalField,
    models.IntegerField,
    models.TextField,
    models.UUIDField,
)


@cache
def check_resource(resource: type[Resource]) -> None:
    """Raise ``TypeError`` naming the resource and what is wrong with its declarations, if anything is."""
    label = f"{resource.__module__}.{resource.__qualname__}"
    _check_attributes(resource, label)
    if not _NAME.match(name_of(resource)):
        raise TypeError(f"{label}.name {name_of(resource)!r} is not in kebab case")
    unknown = set(resource.actions) - STANDARD_ACTIONS
    if unknown:
        raise TypeError(f"{label}.actions names {', '.join(sorted(unknown))}, which do not exist")
    if type(resource.api_version) is not int or not FIRST <= resource.api_version < _TOO_MANY:
        raise TypeError(
            f"{label}.api_version is {resource.api_version!r}, not the number of a version like 2"
        )
    _check_policy(resource, label)
    _check_serializer(resource, label)
    _check_limits(resource, label)
    _check_ordering(resource, label)
    _check_search(resource, label)
    _check_import_keys(resource, label)
    try:
        parameters = filters_of(resource)
    except TypeError as error:
        raise TypeError(f"{label}.filterset_fields: {error}") from error
    taken = set(parameters) & (LIST_PARAMETERS | {ORDERING, SEARCH})
    if "export" in resource.policy.actions:
        taken |= set(parameters) & EXPORT_PARAMETERS
    if taken:
        raise TypeError(f"{label}.filterset_fields uses the reserved name {sorted(taken)[0]!r}")
    for problem in deprecation_problems(resource):
        raise TypeError(f"{label} declares what is deprecated wrongly: {problem}")
    for problem in field_rule_problems(resource):
        raise TypeError(f"{label}.field_rules: {problem}")


def _check_attributes(resource: type[Resource], label: str) -> None:
    for name, meant in misspelt(resource, Resource):
        raise TypeError(f"{label}.{name} is no attribute of a resource; {meant} is")
    for attribute in ("model", "serializer_class", "policy"):
        if getattr(resource, attribute, None) is None:
            raise TypeError(f"{label} has no {attribute}")
    if not isinstance(resource.policy, Policy):
        raise TypeError(f"{label}.policy is not a Policy")


def _check_policy(resource: type[Resource], label: str) -> None:
    needed = {action: PERMISSION_ACTIONS[action] for action in resource.actions}
    needed |= {verb: verb for verb in operations_of(resource)}
    needed["view"] = "view"
    for action, decided_as in needed.items():
        try:
            resource.policy.permission(decided_as)
        except PolicyError as error:
            raise TypeError(
                f"{label} exposes {action!r} without an access rule: {error}"
            ) from error


def _check_serializer(resource: type[Resource], label: str) -> None:
    try:
        _fields = resource.serializer_class().fields
    except Exception as error:  # a stranger's code: whatever it raises is told by its resource
        raise TypeError(
            f"{label}.serializer_class cannot be used: {type(error).__name__}: {str(error).rstrip('.')}"
        ) from error


def _check_limits(resource: type[Resource], label: str) -> None:
    known = {*resource.actions, *operations_of(resource)}
    known |= {action for action, _method in _exchanged(resource)}
    for action, text in resource.limits.items():
        if action not in known:
            raise TypeError(f"{label}.limits names {action}, which it does not expose")
        try:
            RateLimit.parse(action, text)
        except ValueError:
            raise TypeError(f"{label}.limits: {text!r} is no rate like '20/hour'") from None


def _check_ordering(resource: type[Resource], label: str) -> None:
    if not resource.ordering:
        raise TypeError(f"{label} declares no ordering, which its pages need")
    own = (one.removeprefix("-") for one in resource.ordering.split(","))
    for name in (*own, *resource.ordering_fields):
        try:
            field: Any = resource.model._meta.get_field(name)
        except FieldDoesNotExist:
            raise TypeError(
                f"{label} is ordered by {name!r}, which is no field of the model"
            ) from None
        if not getattr(field, "concrete", False) or field.is_relation:
            raise TypeError(f"{label} is ordered by {name!r}, which is not a column of its own")
        if not isinstance(field, _ORDERED_KINDS):
            raise TypeError(
                f"{label} is ordered by {name!r}, whose type has no exact order in JSON"
            )


def _check_search(resource: type[Resource], label: str) -> None:
    for name in resource.search_fields:
        try:
            field = resource.model._meta.get_field(name)
        except FieldDoesNotExist:
            field = None
        if not isinstance(field, (models.CharField, models.TextField)):
            raise TypeError(f"{label}.search_fields: {name!r} is no text field of the model")


def _check_import_keys(resource: type[Resource], label: str) -> None:
    fields = resource.serializer_class().fields
    columns = {field.name for field in resource.model._meta.concrete_fields}
    for name in resource.import_keys:
        if name not in fields or fields[name].source not in columns:
            raise TypeError(f"{label}.import_keys: {name!r} shows no column of the model")


def resource_urls(slug: str, resource: type[Resource]) -> list[URLPattern]:
    """Return the patterns of one resource below the plugin's prefix; raises ``TypeError`` as ``check_resource``."""
    check_resource(resource)
    name = name_of(resource)
    exposed = set(resource.actions)
    detail = f"{name}/<{resource.id_converter}:id>/"
    found: list[tuple[str, str, Mapping[str, str]]] = [
        (f"{name}/", f"{name}-list", _exposed(_COLLECTION, exposed)),
        (detail, f"{name}-detail", _exposed(_DETAIL, exposed)),
        (f"{detail}restore/", f"{name}-restore", _exposed({"post": "restore"}, exposed)),
        (f"{detail}history/", f"{name}-history", _exposed({"get": "history"}, exposed)),
    ]
    if "history" in exposed:
        found.append((f"{detail}history/diff/", f"{name}-diff", {"get": "diff"}))
    if {"history", "partial_update"} <= exposed:
        back = f"{detail}history/<int:version>/restore/"
        found.append((back, f"{name}-revert", {"post": "revert"}))
    found.extend(
        (f"{name}/{action}/", f"{name}-{action}", {method: action})
        for action, method in _exchanged(resource)
    )
    found.extend(
        (f"{detail}{one.path}/", f"{name}-{one.path}", {"post": one.verb})
        for one in operations_of(resource).values()
    )
    found.extend(
        (f"{name}/bulk/{verb}/", f"{name}-bulk-{verb}", {"post": BULK_PREFIX + action})
        for verb, action in bulk_routes(resource.actions, operations_of(resource))
    )
    return [
        path(route, resource.as_route(actions, slug), name=route_name)
        for route, route_name, actions in found
        if actions
    ]


def nested_urls(
    slug: str, resource: type[Resource], siblings: Mapping[str, type[Resource]]
) -> list[URLPattern]:
    """Return the patterns of a resource below its parents; raises ``TypeError`` as ``parents_of``."""
    name = name_of(resource)
    exposed = set(resource.actions)
    found = []
    for word, parent in parents_of(resource, siblings, name):
        below = f"{word}/<{parent.resource.id_converter}:{parent.parameter}>/{name}/"
        routes = [(below, f"{word}-{name}-list", _exposed(_COLLECTION, exposed))]
        if "create" in exposed:
            many = {"post": f"{BULK_PREFIX}create"}
            routes.append((f"{below}bulk/create/", f"{word}-{name}-bulk-create", many))
        found += [
            path(route, resource.as_route(actions, slug, parent), name=route_name)
            for route, route_name, actions in routes
            if actions
        ]
    return found


def _exchanged(resource: type[Resource]) -> Iterator[tuple[str, str]]:
    """Yield what the resource does with files, and by which method: only what its policy says somebody may."""
    allowed, exposed = resource.policy.actions, set(resource.actions)
    if "export" in allowed and "list" in exposed:
        yield "export", "get"
    if "import" in allowed and exposed & {"create", "partial_update"}:
        yield "import", "post"


def _exposed(methods: Mapping[str, str], exposed: set[str]) -> dict[str, str]:
    return {method: action for method, action in methods.items() if action in exposed}


def build_plugin_urls(
    slug: str, resources: Sequence[type[Resource]], routes: Sequence[Route] = ()
) -> list[URLPattern | URLResolver]:
    """Return the patterns below ``/api/v<version>/<slug>/`` for a plugin's resources of one version and routes.

    Raises ``TypeError`` for a resource or route without an access rule, or declared wrongly in another way.
    """
    patterns: list[URLPattern | URLResolver] = []
    for resource in resources:
        patterns.extend(resource_urls(slug, resource))
    siblings = {name_of(one): one for one in resources}
    for resource in resources:
        patterns.extend(nested_urls(slug, resource, siblings))
    patterns.extend(_route(slug, route) for route in routes)
    return patterns


def plugin_resolvers(
    slug: str, resources: Sequence[type[Resource]], routes: Sequence[Route] = ()
) -> dict[str, URLResolver]:
    """Return by prefix what answers below it: of each version that the plugin has something of, and of the first.

    Routes are of the first version. Raises ``TypeError`` as ``build_plugin_urls``.
    """
    found = {}
    for version in sorted({FIRST, *(one.api_version for one in resources)}):
        own = [one for one in resources if one.api_version == version]
        patterns = build_plugin_urls(slug, own, routes if version == FIRST else ())
        namespace = "-".join(filter(None, (slug, in_names(version))))
        prefix = api_prefix(slug, version)
        found[prefix] = path(prefix, include((patterns, namespace)))
    return found


def _route(slug: str, route: Route) -> URLPattern | URLResolver:
    if not route.access:
        raise TypeError(f"{slug}: the route {route.path!r} has no access rule")
    if (route.view is None) == (route.urlconf is None):
        raise TypeError(f"{slug}: the route {route.path!r} needs exactly one of view and urlconf")
    if route.view is not None:
        view = guard(route.view, route.access, route.flag, slug=slug)
        return mark_described(path(route.path, view, name=route.name), slug, route)
    if route.access != PUBLIC or route.flag is not None:
        raise TypeError(
            f"{slug}: the route {route.path!r} includes a urlconf, which guards itself: "
            "its access is PUBLIC and it has no flag"
        )
    return mark_described(path(route.path, include(str(route.urlconf))), slug, route)
