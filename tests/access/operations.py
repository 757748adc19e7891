"""What a deployment answers: every operation that is mounted, found in the URLs and in the OpenAPI document."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver

from platform_core.resource import Resource, not_found
from platform_core.resource.nesting import Parent
from platform_core.resource.openapi.generator import PlatformSchemaGenerator
from platform_core.resource.openapi.routes import operations_in

CORE = "core"
"""The name of the table of what no plugin serves."""

_PROBES = ("/livez", "/readyz", "/metrics")
"""What the core's middleware answers before any URL is looked at."""

_CONVERTED = re.compile(r"<(?:[^>:]+:)?([^>]+)>")
_PARAMETER = re.compile(r"\\{\w+\\}")
_PLUGIN = re.compile(r"/api/v(\d+)/(\w+)/(.*)\Z")


@dataclass(frozen=True, slots=True)
class Operation:
    """One method at one address; ``resource``, ``action``, and ``parent`` below one, when a resource answers it."""

    method: str
    address: str
    resource: type[Resource] | None = None
    action: str = ""
    parent: Parent | None = None

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def slug(self) -> str:
        """The plugin that serves it, or ``core``."""
        found = _PLUGIN.match(self.address)
        return found[2] if found else CORE

    @property
    def path(self) -> str:
        """The address below that of the plugin's first version; for the core, and in later versions, it is whole."""
        found = _PLUGIN.match(self.address)
        return (found[3] or "./") if found and found[1] == "1" else self.address

    @property
    def group(self) -> str:
        """The first word of the path: operations of one group share the rows of a test."""
        return self.path.strip("/").partition("/")[0]


def document() -> dict[str, Any]:
    """Return the OpenAPI document of everything that is mounted now."""
    found: dict[str, Any] = PlatformSchemaGenerator().get_schema(request=None, public=True)
    return found


def mounted_operations(described: Mapping[str, Any]) -> list[Operation]:
    """Return what is mounted, from the URLs and ``described``, which is the OpenAPI document."""
    found = [Operation("GET", address) for address in _PROBES]
    for address, view in _patterns(get_resolver().url_patterns):
        resource = getattr(view, "cls", None)
        if isinstance(resource, type) and issubclass(resource, Resource):
            found += [
                Operation(method.upper(), address, resource, action, view.initkwargs.get("parent"))
                for method, action in view.actions.items()
            ]
        elif not _PLUGIN.match(address) and not _is_nothing(view):
            found.append(Operation("GET", address))
    known = {(one.method, one.address) for one in found}
    for address, item in described["paths"].items():
        for method, _operation in operations_in(item):
            if (method.upper(), address) not in known:
                found.append(Operation(method.upper(), address))
    return found


def undescribed_addresses(described: Mapping[str, Any]) -> list[str]:
    """Return the addresses of plugins that answer by no resource and that the document does not tell of."""
    told = [
        re.compile(_PARAMETER.sub("[^/]+", re.escape(address))) for address in described["paths"]
    ]
    return [
        address
        for address, view in _patterns(get_resolver().url_patterns)
        if _PLUGIN.match(address)
        and not hasattr(getattr(view, "cls", None), "policy")
        and not _is_nothing(view)
        and not any(one.fullmatch(address) for one in told)
    ]


def _is_nothing(view: Any) -> bool:
    return getattr(view, "__wrapped__", view) is not_found


def _patterns(
    patterns: Sequence[URLPattern | URLResolver], prefix: str = "/"
) -> Iterator[tuple[str, Any]]:
    for pattern in patterns:
        address = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from _patterns(pattern.url_patterns, address)
        else:
            yield _CONVERTED.sub(r"{\1}", address), pattern.callback
