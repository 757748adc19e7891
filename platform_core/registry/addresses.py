"""Every address of the deployment with its owner, and for each method what guards it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver

from platform_core.api_versions import FIRST, split_address
from platform_core.registry.contents import Registry

ANY_METHOD = "*"


def leaves(
    patterns: Sequence[URLPattern | URLResolver], prefix: str = "/"
) -> Iterator[tuple[str, Any]]:
    """Yield every address below ``patterns`` as it is written, with its view."""
    for pattern in patterns:
        address = f"{prefix}{pattern.pattern}"
        if isinstance(pattern, URLResolver):
            yield from leaves(pattern.url_patterns, address)
        else:
            yield address, pattern.callback


def addresses(registry: Registry) -> dict[str, dict[str, Any]]:
    """Return by address its owner and, by method, the ``access`` (permission, signed_in or public) and ``flags``.

    ``*`` stands for every method where the view itself chooses. The core's own addresses have no owner.
    """
    routes = {entry.key: entry.item for entry in registry.entries.get("routes", ())}
    owners = {plugin.slug for plugin in registry.plugins}
    found: dict[str, dict[str, Any]] = {}
    for address, view in leaves(get_resolver().url_patterns):
        _version, slug, _rest = split_address(address) or (FIRST, "", "")
        owner = slug if slug in owners else ""
        facts: dict[str, Any] = {"owner": owner, "access": {}, "flags": {}}
        if hasattr(view, "actions") and hasattr(view, "cls"):
            _of_resource(view, facts)
        else:
            near = [key for key in routes if address.startswith(key)]
            if near:
                _of_route(routes[max(near, key=len)], facts)
        found[address] = facts
    return found


def _of_resource(view: Any, facts: dict[str, Any]) -> None:
    from platform_core.resource.base import decided_as, plain_action  # needs loaded models
    from platform_core.resource.operations import operations_of

    resource = view.cls
    operations = operations_of(resource)
    for method, action in sorted(view.actions.items()):
        name = method.upper()
        facts["access"][name] = resource.policy.permission(decided_as(action))
        operation = operations.get(plain_action(action))
        flags = [resource.flag, operation.flag if operation else None]
        if any(flags):
            facts["flags"][name] = [flag for flag in flags if flag]


def _of_route(route: Any, facts: dict[str, Any]) -> None:
    facts["access"][ANY_METHOD] = route.access
    if route.flag:
        facts["flags"][ANY_METHOD] = [route.flag]
