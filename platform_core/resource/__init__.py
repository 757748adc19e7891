"""One viewset base for everything a plugin serves: access, validation, paging, filters, history and problems.

The names are loaded on first use: ``platform_core.resource.settings`` is read while Django's settings are being
built, when REST framework and the models cannot be imported yet.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from platform_core.resource.base import Resource
    from platform_core.resource.deprecation import Deprecated
    from platform_core.resource.field_access import AccessibleFields, accessible_fields
    from platform_core.resource.gate import guard
    from platform_core.resource.operations import operation
    from platform_core.resource.problems import (
        bad_request,
        exception_handler,
        forbidden,
        not_found,
        server_error,
    )
    from platform_core.resource.requests import actor_of, client_address, request_id_of
    from platform_core.resource.routing import build_plugin_urls, check_resource, plugin_resolvers
    from platform_core.resource.serializers import ModelSerializer, ScopedRelatedField

_HOMES = {
    "Deprecated": "deprecation",
    "Resource": "base",
    "AccessibleFields": "field_access",
    "accessible_fields": "field_access",
    "guard": "gate",
    "operation": "operations",
    "bad_request": "problems",
    "exception_handler": "problems",
    "forbidden": "problems",
    "not_found": "problems",
    "server_error": "problems",
    "actor_of": "requests",
    "request_id_of": "requests",
    "build_plugin_urls": "routing",
    "check_resource": "routing",
    "plugin_resolvers": "routing",
    "client_address": "requests",
    "ModelSerializer": "serializers",
    "ScopedRelatedField": "serializers",
}

__all__ = [
    "AccessibleFields",
    "Deprecated",
    "ModelSerializer",
    "Resource",
    "ScopedRelatedField",
    "accessible_fields",
    "actor_of",
    "bad_request",
    "build_plugin_urls",
    "check_resource",
    "client_address",
    "exception_handler",
    "forbidden",
    "guard",
    "not_found",
    "operation",
    "plugin_resolvers",
    "request_id_of",
    "server_error",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{home}"), name)
