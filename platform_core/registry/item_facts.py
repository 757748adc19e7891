"""What is worth knowing about one contribution, as plain data: cheap facts, never a value of a setting."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping
from typing import Any

from platform_core.access import Rule
from platform_core.api_versions import FIRST

LEFT_OUT = frozenset({"name", "title"})
"""The name is the key, and a title is for people: neither changes what the contribution does."""


def facts_of(item: Any) -> dict[str, Any]:
    """Return the facts of a contributed dataclass, resource class or other object, as JSON data."""
    if hasattr(item, "model_fields"):
        return _event_facts(item) if hasattr(item, "aggregate_key") else _mail_facts(item)
    if isinstance(item, type):
        return _resource_facts(item) if hasattr(item, "policy") else {"class": dotted(item)}
    if not dataclasses.is_dataclass(item):
        return {"class": dotted(type(item))}
    found = {}
    for field in dataclasses.fields(item):
        value = _plain(getattr(item, field.name))
        if field.name not in LEFT_OUT and value is not None:
            found[field.name] = value
    return found


def _event_facts(event: Any) -> dict[str, Any]:
    return {
        "class": dotted(event),
        "version": event.version,
        "aggregate": getattr(event, "aggregate", ""),
        "payload": _field_types(event),
        **({"external_fields": sorted(event.external_fields)} if event.external_fields else {}),
    }


def _mail_facts(mail: Any) -> dict[str, Any]:
    return {
        "class": dotted(mail),
        "templates": [mail.template("txt"), mail.template("html")],
        "fields": _field_types(mail),
    }


def _field_types(model: Any) -> dict[str, str]:
    return {name: str(one.annotation) for name, one in model.model_fields.items()}


def _resource_facts(resource: Any) -> dict[str, Any]:
    from platform_core.resource.deprecation import declared_of
    from platform_core.resource.operations import operations_of  # needs loaded models

    going = {what: str(one.sunset or "") for what, one in declared_of(resource).items()}
    return {
        "class": dotted(resource),
        "model": resource.model._meta.label,
        "policy": dict(sorted(resource.policy.actions.items())),
        "actions": sorted(resource.actions),
        "operations": sorted(operations_of(resource)),
        "filters": {path: sorted(found) for path, found in resource.filterset_fields.items()},
        "search": sorted(resource.search_fields),
        "ordering": sorted({resource.ordering.removeprefix("-"), *resource.ordering_fields}),
        **({"flag": resource.flag} if resource.flag else {}),
        **({"api_version": version} if (version := resource.api_version) != FIRST else {}),
        **({"parents": dict(resource.parents)} if resource.parents else {}),
        **({"deprecated": going} if going else {}),
        **({"field_rules": _rules(resource.field_rules)} if resource.field_rules else {}),
    }


def _rules(field_rules: Any) -> dict[str, Any]:
    return {
        name: {"view": str(one.view), "change": str(one.change)}
        for name, one in sorted(field_rules.items())
    }


def _plain(value: Any) -> Any:
    """Return JSON data that is equal in every process, or None for what has no such form."""
    if isinstance(value, Rule):
        return str(value)
    if isinstance(value, (str, bool, int, float)):
        return value
    if isinstance(value, (datetime.date, datetime.timedelta)):
        return str(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return facts_of(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        parts = [_plain(one) for one in value]
        return sorted(parts, key=str) if isinstance(value, (set, frozenset)) else parts
    return dotted(value) if callable(value) else None


def dotted(thing: Any) -> str:
    """Return ``module.name`` of a class or function; of any other callable, that of its class."""
    named = thing if hasattr(thing, "__qualname__") else type(thing)
    return f"{named.__module__}.{named.__qualname__}"
