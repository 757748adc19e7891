"""What follows from a resource's declarations alone, found once per process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from django.utils.text import slugify
from django.utils.translation import override

from platform_core.access import Policy
from platform_core.api_versions import in_names
from platform_core.models.fields import VersionField
from platform_core.resource import decoding, filters, shape
from platform_core.resource import representation as representations
from platform_core.resource.expansion import references_of
from platform_core.resource.field_access import view_rules_of
from platform_core.resource.operations import operations_of
from platform_core.resource.pagination import Keyset

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import QueryDict

    from platform_core.resource.base import Resource
    from platform_core.resource.decoding import Decoder
    from platform_core.resource.field_access import AccessibleFields, Condition
    from platform_core.resource.representation import Plan
    from platform_core.resource.shape import Shape

_OWN_MODULES = ("platform_core.resource.", "rest_framework.generics")
_CREATING = (
    "create_object",
    "unsaved_object",
    "get_serializer",
    "get_serializer_class",
    "get_serializer_context",
)
_MOST_KEPT = 512
"""Where clients choose among many: of orders, and of queries by order and fields."""


def name_of(resource: type[Resource]) -> str:
    """Return the resource's part of the URL: its ``name``, else the model's plural in kebab case."""
    if resource.name:
        return resource.name
    with override(None):
        return slugify(str(resource.model._meta.verbose_name_plural))


def label_of(slug: str, resource: type[Resource]) -> str:
    """Return the name by which calls of the resource are counted; classes of two versions may be called alike."""
    return ".".join(filter(None, (slug, in_names(resource.api_version), resource.__name__)))


@cache
def filters_of(resource: type[Resource]) -> Mapping[str, filters.Filter]:
    """Return the filters by query parameter."""
    return filters.build_filters(resource.model, resource.filterset_fields)


@cache
def single_parameters(resource: type[Resource]) -> frozenset[str]:
    """Return the parameters of a list that are given once at most."""
    search = {filters.SEARCH} if resource.search_fields else set()
    own = {filters.ORDERING, shape.INCLUDE}
    return filters.LIST_PARAMETERS | shape.SHAPE_PARAMETERS | own | search


@cache
def ordering_names(resource: type[Resource]) -> frozenset[str]:
    """Return the fields that a client may order by."""
    own = (one.removeprefix("-") for one in resource.ordering.split(","))
    return frozenset((*resource.ordering_fields, *own))


@lru_cache(_MOST_KEPT)
def keyset_of(resource: type[Resource], ordering: str) -> Keyset:
    """Return the total order that ``ordering`` says."""
    return Keyset.of(resource.model, ordering)


@cache
def plan_of(resource: type[Resource]) -> Plan | None:
    """Return the columns that are shown, or ``None`` when the serializer computes something."""
    if not _is_unchanged(resource, "represent"):
        return None
    return representations.plan_of(resource.serializer_class())


@cache
def is_plain(resource: type[Resource]) -> bool:
    """Tell whether neither the resource nor its policy has a way of its own to say which rows are seen."""
    own = (_is_unchanged(resource, name) for name in ("visible", "get_queryset"))
    return all(own) and type(resource.policy) is Policy


@cache
def decoder_of(resource: type[Resource]) -> Decoder | None:
    """Return what reads the bodies of new rows, or ``None`` when serializer or resource have a way of their own."""
    if resource.field_rules or not all(_is_unchanged(resource, name) for name in _CREATING):
        return None
    return decoding.decoder_of(resource.serializer_class)


def _is_unchanged(resource: type[Resource], method: str) -> bool:
    """Tell whether ``method`` is the core's, which no plugin has replaced."""
    found: str = getattr(resource, method).__module__
    return found.startswith(_OWN_MODULES)


@cache
def has_version(model: type[Any]) -> bool:
    """Tell whether rows of ``model`` count their writes."""
    return any(isinstance(field, VersionField) for field in model._meta.concrete_fields)


@cache
def _references(resource: type[Resource]) -> frozenset[str]:
    """Return the names of the shown fields that are references."""
    return frozenset(references_of(resource.serializer_class()))


@lru_cache(_MOST_KEPT)
def _readable_plan(
    resource: type[Resource], readable: tuple[str, ...], conditions: tuple[Condition, ...]
) -> Plan | None:
    plan = plan_of(resource)
    return None if plan is None else replace(plan, conditions=conditions).only(readable)


def readable_plan(resource: type[Resource], accessible: AccessibleFields) -> Plan | None:
    """Return the part of ``plan_of`` that ``accessible`` allows."""
    if not resource.field_rules:
        return plan_of(resource)
    return _readable_plan(resource, *accessible.reading)


def shape_of(resource: type[Resource], query: QueryDict, accessible: AccessibleFields) -> Shape:
    """Return what ``query`` asks to see of the resource's rows; raises ``QueryRefused``."""
    if query.keys().isdisjoint(shape.SHAPE_PARAMETERS):
        return shape.WHOLE
    names = accessible.readable
    return shape.shape_of(query, names, _references(resource).intersection(names))


@cache
def rows_of(resource: type[Resource], deleted_too: bool) -> QuerySet[Any]:
    """Return the rows in no order, never evaluated: filters make copies of it."""
    model: Any = resource.model
    # The core's own records are never deleted softly, so they have one manager.
    everything = getattr(model, "all_objects", model._base_manager)
    manager = everything if deleted_too else model._default_manager
    found: QuerySet[Any] = manager.order_by()
    return found


def in_order(
    queryset: QuerySet[Any], keyset: Keyset, plan: Plan | None, backward: bool
) -> QuerySet[Any]:
    """Return ``queryset`` in order, with the columns of the plan and of the order when there is a plan."""
    queryset = queryset.order_by(*keyset.order_by(backward=backward))
    return queryset if plan is None else queryset.values_list(*plan.names_with(keyset.fields))


@lru_cache(_MOST_KEPT)
def _prepared(
    resource: type[Resource], keyset: Keyset, fields: tuple[str, ...] | None, backward: bool
) -> QuerySet[Any]:
    rows = resource.model._default_manager.all()
    plan = plan_of(resource)
    return in_order(rows, keyset, plan and shape.Shape(fields).plan(plan), backward)


def prepared_rows(
    resource: type[Resource], keyset: Keyset, wanted: Shape, backward: bool
) -> QuerySet[Any]:
    """Return the live rows in order, never evaluated: filters make copies of it."""
    return _prepared(resource, keyset, wanted.fields, backward)


def prepare(resource: type[Resource]) -> None:
    """Work out now what the first request of ``resource`` would, so that forked processes share it."""
    operations_of(resource)
    filters_of(resource)
    single_parameters(resource)
    ordering_names(resource)
    keyset = keyset_of(resource, resource.ordering)
    plan_of(resource)
    _references(resource)
    view_rules_of(resource)
    decoder_of(resource)
    if is_plain(resource):
        prepared_rows(resource, keyset, shape.WHOLE, backward=False)
