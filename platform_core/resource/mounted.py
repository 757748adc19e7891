"""Which resources serve a model in this process, and what they say about its columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from django.urls import URLPattern, URLResolver, get_resolver

from platform_core.resource.field_access import view_rules_of

if TYPE_CHECKING:
    from django.db.models import Model

    from platform_core.access import Rule
    from platform_core.resource.base import Resource

Mounted = tuple["type[Resource]", str]


def mounted_resource(model: type[Model], version: int) -> Mounted | None:
    """Return the first resource that serves rows of ``model`` one by one, with the slug of its plugin.

    It is of the API's ``version``, or of the last before it that serves the model: what is new is not shown to clients
    of what is old.
    """
    found = [
        one
        for one in _by_model(get_resolver()).get(model, ())
        if "retrieve" in one[0].actions and one[0].api_version <= version
    ]
    return max(found, key=lambda one: one[0].api_version, default=None)


def view_rules(model: type[Model]) -> Mapping[str, Rule]:
    """Return by column of ``model`` the rule that whoever looks at it through a relation has to meet.

    A column about which several resources say something has to be readable by all of them.
    """
    return _view_rules(get_resolver(), model)


def serving(serializer_class: type[Any]) -> Sequence[type[Resource]]:
    """Return the resources that show their rows by ``serializer_class``."""
    mounted = (one for found in _by_model(get_resolver()).values() for one, _slug in found)
    return [one for one in mounted if one.serializer_class is serializer_class]


@lru_cache(maxsize=1024)
def _view_rules(resolver: URLResolver, model: type[Model]) -> Mapping[str, Rule]:
    rules: dict[str, Rule] = {}
    for resource, _slug in _by_model(resolver).get(model, ()):
        for column, rule in view_rules_of(resource).items():
            rules[column] = rule if column not in rules else rules[column] & rule
    return MappingProxyType(rules)


@lru_cache(maxsize=8)
def _by_model(resolver: URLResolver) -> Mapping[type[Model], Sequence[Mounted]]:
    found: dict[type[Model], list[Mounted]] = {}
    for view in _views(resolver.url_patterns):
        resource = getattr(view, "cls", None)
        if resource is None or not hasattr(resource, "policy"):
            continue
        mounted = (resource, view.initkwargs["slug"])
        if mounted not in found.setdefault(resource.model, []):
            found[resource.model].append(mounted)
    return found


def _views(patterns: Sequence[URLPattern | URLResolver]) -> Iterator[Any]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from _views(pattern.url_patterns)
        else:
            yield pattern.callback
