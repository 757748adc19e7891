"""What a list may be narrowed by: declared filters, search and ordering, each typed and within the actor's scope."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Any

import django_filters
from django import forms
from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from platform_core.resource.field_access import column_name
from platform_core.resource.mounted import view_rules
from platform_core.resource.problems import QueryRefused
from platform_core.resource.related import visible

if TYPE_CHECKING:
    from django.db.models import Model, QuerySet
    from django.http import QueryDict

    from platform_core.access import Actor, Rule

LIST_PARAMETERS = frozenset({"limit", "cursor"})
SEARCH = "search"
ORDERING = "ordering"
MAX_VALUES = 100
_ISO_DATE = ["%Y-%m-%d"]


@dataclass(frozen=True, slots=True)
class Filter:
    """One query parameter: the path of relations to a field, the lookup, and the form field that reads values."""

    parameter: str
    path: tuple[str, ...]
    lookup: str
    model_field: Any
    form_field: forms.Field

    def condition(
        self, actor: Actor, model: type[Model], rules: Mapping[str, Rule], values: Sequence[Any]
    ) -> Q:
        """Return the rows of ``model`` that match one of ``values``, as far as ``actor`` may know.

        ``rules`` say by column which rows tell its value; beyond a relation those of the related model do.
        """
        return _condition(actor, model, rules, self.path, self.lookup, values)

    def steps(self, model: Any) -> Iterator[tuple[Any, str]]:
        """Yield the columns on the path, each with its model."""
        for name in self.path:
            yield model, column_name(model, name)
            model = model._meta.get_field(name).related_model

    def rules(self, model: type[Model], rules: Mapping[str, Rule]) -> Iterator[tuple[Rule, Any]]:
        """Yield the rules of the columns on the path, each with the model that it is about."""
        for index, (here, column) in enumerate(self.steps(model)):
            found = (view_rules(here) if index else rules).get(column)
            if found is not None:
                yield found, here

    def values(self, texts: Sequence[str]) -> list[Any]:
        """Return the typed values; ``in`` takes them separated by commas too.

        Raises ``QueryRefused`` when one is not of the field's type.
        """
        if self.lookup == "in":
            texts = [part for text in texts for part in text.split(",")]
        if len(texts) > MAX_VALUES:
            raise QueryRefused(self.parameter, _("There are too many values."), "too_many")
        return [self._value(text) for text in texts]

    def _value(self, text: str) -> Any:
        try:
            value = self.form_field.clean(text)
        except ValidationError as error:
            raise QueryRefused(self.parameter, " ".join(error.messages)) from error
        if value is None:
            raise QueryRefused(self.parameter, _("A value of the right type is expected."))
        return value


def _condition(
    actor: Actor,
    model: type[Model],
    rules: Mapping[str, Rule],
    path: Sequence[str],
    lookup: str,
    values: Sequence[Any],
) -> Q:
    matching = _matching(actor, model, path, lookup, values)
    return readable(matching, rules.get(column_name(model, path[0])), actor, model)


def readable(condition: Q, rule: Rule | None, actor: Actor, model: type[Model]) -> Q:
    """Return ``condition`` on a column, for the rows of which ``rule`` lets ``actor`` read it."""
    if rule is None or rule.settled(actor, model):
        return condition
    return condition & rule.q(actor, model)


def _matching(
    actor: Actor, model: type[Model], path: Sequence[str], lookup: str, values: Sequence[Any]
) -> Q:
    name, *rest = path
    field: Any = model._meta.get_field(name)
    if field.is_relation and (rest or lookup != "isnull"):
        related = field.related_model
        rows = visible(actor, related)
        if rest:
            further = _condition(actor, related, view_rules(related), rest, lookup, values)
            rows = rows.filter(further)
        else:
            rows = rows.filter(pk__in=values)
        return Q(**{f"{name}__in": rows.values("pk")})
    if lookup in ("exact", "in"):
        return Q(**{name: values[0]}) if len(values) == 1 else Q(**{f"{name}__in": values})
    return reduce(or_, (Q(**{f"{name}__{lookup}": value}) for value in values))


def build_filters(model: type[Model], declared: Mapping[str, Sequence[str]]) -> dict[str, Filter]:
    """Return the filters for ``filterset_fields`` by query parameter.

    Raises ``TypeError`` for a field that does not exist or leads to many rows, and for an unknown lookup.
    """
    filters = {}
    for path, lookups in declared.items():
        field = _resolve(model, path)
        for lookup in lookups:
            parameter = path if lookup == "exact" else f"{path}__{lookup}"
            filters[parameter] = Filter(
                parameter, tuple(path.split("__")), lookup, field, _form_field(field, path, lookup)
            )
    return filters


def _resolve(model: type[Model], path: str) -> Any:
    names = path.split("__")
    current: Any = model
    for index, name in enumerate(names):
        try:
            field = current._meta.get_field(name)
        except FieldDoesNotExist:
            raise TypeError(f"{model.__name__} has no field {path!r} to filter by") from None
        if not field.concrete or field.many_to_many:
            raise TypeError(f"{path!r} leads to many rows and cannot be a filter")
        if index + 1 < len(names):
            if not field.is_relation:
                raise TypeError(f"{path!r} passes through {name!r}, which is no relation")
            current = field.related_model
    return field


def _of_its_output(field: Any) -> Any:
    """Return the column that a generated one is like, which tells how its values are written."""
    found = copy(field.output_field)
    found.set_attributes_from_name(field.name)
    found.model = field.model
    return found


def _form_field(field: Any, path: str, lookup: str) -> forms.Field:
    if field.is_relation and lookup in ("exact", "in"):
        key = field.target_field
        return forms.UUIDField() if isinstance(key, models.UUIDField) else forms.IntegerField()
    if lookup not in field.get_lookups():
        raise TypeError(f"{path!r} has no lookup {lookup!r}")
    if isinstance(field, models.GeneratedField):
        field = _of_its_output(field)
    # An ``in`` filter reads one value at a time: the splitting is ours.
    one = "exact" if lookup == "in" else lookup
    found = django_filters.FilterSet.filter_for_field(field, path, one)
    if not hasattr(found, "field_class"):
        raise TypeError(f"{path!r} cannot be filtered by {lookup!r}")
    options = {key: value for key, value in found.extra.items() if key not in _FILTER_ONLY}
    if found.field_class is forms.DateField:
        options["input_formats"] = _ISO_DATE
    field_class = found.field_class
    if field_class is forms.DecimalField and isinstance(field, models.IntegerField):
        field_class = forms.IntegerField
    options["required"] = field_class is not forms.CharField
    form_field: forms.Field = field_class(**options)
    return form_field


_FILTER_ONLY = frozenset({"null_label", "null_value", "empty_label", "to_field_name", "queryset"})


def open_to(
    actor: Actor,
    model: type[Model],
    filters: Mapping[str, Filter],
    rules: Mapping[str, Rule],
    query: QueryDict,
) -> Mapping[str, Filter]:
    """Return ``filters`` without those of ``query`` that ask for what ``actor`` may know of no row."""
    closed = {
        name
        for name in query.keys() & filters.keys()
        if any(rule.settled(actor, of) is False for rule, of in filters[name].rules(model, rules))
    }
    return {name: one for name, one in filters.items() if name not in closed} if closed else filters


def narrow(
    queryset: QuerySet[Any],
    actor: Actor,
    filters: Mapping[str, Filter],
    rules: Mapping[str, Rule],
    query: QueryDict,
) -> QuerySet[Any]:
    """Return ``queryset`` with every filter that ``query`` names; ``rules`` as in ``Filter.condition``."""
    for parameter, texts in query.lists():
        found = filters.get(parameter)
        if found is not None:
            values = found.values(texts)
            queryset = queryset.filter(found.condition(actor, queryset.model, rules, values))
    return queryset


def search(
    queryset: QuerySet[Any],
    actor: Actor,
    fields: Sequence[str],
    rules: Mapping[str, Rule],
    text: str,
) -> QuerySet[Any]:
    """Return the rows in which every word of ``text`` occurs in one of ``fields``, in any case.

    A field counts in the rows only in which its rule lets ``actor`` read it. Raises ``QueryRefused`` for text that PostgreSQL cannot hold or that is far too long.
    """
    if "\x00" in text or len(text) > 200:
        raise QueryRefused(SEARCH, _("The search text is not acceptable."))
    for word in text.split():
        occurs = (
            readable(Q(**{f"{name}__icontains": word}), rules.get(name), actor, queryset.model)
            for name in fields
        )
        queryset = queryset.filter(reduce(or_, occurs))
    return queryset


def check_parameters(
    query: QueryDict, single: frozenset[str], repeatable: Mapping[str, Any]
) -> None:
    """Refuse a parameter that is unknown, or repeated where one value is expected.

    Raises ``QueryRefused``.
    """
    for parameter, texts in query.lists():
        if parameter in single:
            if len(texts) > 1:
                raise QueryRefused(
                    parameter, _("This parameter is given once only."), "repeated_parameter"
                )
        elif parameter not in repeatable:
            raise QueryRefused(parameter, _("There is no such parameter."), "unknown_parameter")


def unknown_ordering() -> QueryRefused:
    """Return the refusal of an order that is not declared."""
    return QueryRefused(ORDERING, _("The list cannot be put in this order."), "unknown_ordering")
