"""The fast read road: which columns a serializer shows, so that rows need not become model instances."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import FieldDoesNotExist
from django.db import models
from rest_framework import serializers
from rest_framework.settings import api_settings

from platform_core.resource.serializers import StorableJSONField, UTCDateTimeField

if TYPE_CHECKING:
    from django.db.models import Field, Model

    from platform_core.access import Rule
    from platform_core.resource.field_access import Condition
    from platform_core.resource.serializers import ModelSerializer

Converter = Callable[[Any], Any]

_AS_LOADED = (
    serializers.BooleanField,
    serializers.CharField,
    serializers.ChoiceField,
    serializers.DateField,
    serializers.EmailField,
    serializers.FloatField,
    serializers.IntegerField,
    serializers.JSONField,
    serializers.SlugField,
    serializers.TimeField,
    serializers.URLField,
    serializers.UUIDField,
    StorableJSONField,
    UTCDateTimeField,
)
"""Fields whose loaded value the JSON encoder writes exactly as the field would."""


@dataclass(frozen=True, slots=True)
class Column:
    """One shown field: its name in JSON, the model attribute, and what is done to the loaded value."""

    name: str
    attribute: str
    convert: Converter | None


@dataclass(frozen=True)
class Plan:
    """The columns that a serializer shows, in its order; ``conditions`` keep some of them out of some rows."""

    columns: tuple[Column, ...]
    conditions: tuple[Condition, ...] = ()

    @cached_property
    def attributes(self) -> tuple[str, ...]:
        """Return what to ask ``values_list`` for."""
        return tuple(column.attribute for column in self.columns)

    @property
    def rules(self) -> tuple[Rule, ...]:
        """Return the rules that decide about the conditions."""
        return tuple(one.rule for one in self.conditions)

    def only(self, names: Collection[str]) -> Plan:
        """Return the plan of those columns that are called one of ``names``."""
        return Plan(
            tuple(column for column in self.columns if column.name in names),
            tuple(one for one in self.conditions if not one.names.isdisjoint(names)),
        )

    def names_with(self, others: Sequence[str]) -> list[str]:
        """Return the attributes, the outcomes of the conditions, and those of ``others`` that are not among them."""
        outcomes = (one.alias for one in self.conditions)
        return list(dict.fromkeys((*self.attributes, *outcomes, *others)))

    def rows(self, loaded: Sequence[Sequence[Any]]) -> list[dict[str, Any]]:
        """Turn loaded tuples into JSON objects; a tuple may be longer than the plan."""
        names = self._names
        rows = [dict(zip(names, values, strict=False)) for values in loaded]
        for name, convert in self._converters:
            for row in rows:
                value = row[name]
                if value is not None:
                    row[name] = convert(value)
        return self._readable(rows, loaded) if self.conditions else rows

    @cached_property
    def _names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    @cached_property
    def _converters(self) -> tuple[tuple[str, Converter], ...]:
        return tuple((one.name, one.convert) for one in self.columns if one.convert is not None)

    def _readable(
        self, rows: list[dict[str, Any]], loaded: Sequence[Sequence[Any]]
    ) -> list[dict[str, Any]]:
        """Return ``rows`` without the fields whose condition does not hold in the row."""
        for place, condition in enumerate(self.conditions, len(self.columns)):
            for row, values in zip(rows, loaded, strict=True):
                if values[place] is not True:
                    for name in condition.names & row.keys():
                        del row[name]
        return rows


def plan_of(serializer: ModelSerializer) -> Plan | None:
    """Return the plan that equals ``serializer``, or ``None`` when it shows anything but plain columns."""
    if _is_custom(serializer):
        return None
    model = serializer.Meta.model
    columns = []
    for name, field in serializer.fields.items():
        if field.write_only:
            continue
        column = _column(model, name, field)
        if column is None:
            return None
        columns.append(column)
    if len({column.attribute for column in columns}) < len(columns):
        return None
    return Plan(tuple(columns))


def partial_plan_of(serializer: ModelSerializer, names: Iterable[str]) -> Plan:
    """Return the plan of those shown fields that are plain columns called one of ``names``."""
    model = serializer.Meta.model
    wanted = set(names)
    columns = (
        _column(model, name, field)
        for name, field in serializer.fields.items()
        if not field.write_only
    )
    return Plan(tuple(one for one in columns if one is not None and one.attribute in wanted))


def _is_custom(serializer: ModelSerializer) -> bool:
    base = serializers.Serializer.to_representation
    return type(serializer).to_representation not in (
        base,
        serializers.ModelSerializer.to_representation,
    )


def _column(model: type[Model], name: str, field: Any) -> Column | None:
    try:
        model_field: Any = model._meta.get_field(field.source)
    except FieldDoesNotExist:
        return None
    if not getattr(model_field, "concrete", False) or model_field.many_to_many:
        return None
    if type(field).get_attribute not in _PLAIN_ACCESS:
        return None
    if isinstance(field, serializers.PrimaryKeyRelatedField):
        return _reference(name, field, model_field)
    if model_field.is_relation:
        return None
    return _value(name, field, model_field)


_PLAIN_ACCESS = (
    serializers.Field.get_attribute,
    serializers.RelatedField.get_attribute,
)


def _reference(name: str, field: Any, model_field: Any) -> Column | None:
    if type(field).to_representation is not serializers.PrimaryKeyRelatedField.to_representation:
        return None
    if field.pk_field is not None or not model_field.target_field.primary_key:
        return None
    return Column(name, model_field.attname, None)


def _value(name: str, field: Any, model_field: Field[Any, Any]) -> Column | None:
    kind = type(field)
    if kind is serializers.BigIntegerField and not getattr(
        field, "coerce_to_string", api_settings.COERCE_BIGINT_TO_STRING
    ):
        return Column(name, model_field.attname, None)
    if kind is serializers.DecimalField and _is_exact(field, model_field):
        return Column(name, model_field.attname, None)
    if kind in _AS_LOADED:
        if isinstance(field, serializers.JSONField) and field.binary:
            return None
        if isinstance(field, UTCDateTimeField) and field.timezone is not dt.UTC:
            return None
        if getattr(field, "format", None) not in (None, "iso-8601", "hex_verbose"):
            return None
        return Column(name, model_field.attname, _text_of(field, model_field))
    if kind is serializers.ListField and isinstance(model_field, ArrayField):
        item = _value(name, field.child, model_field.base_field)
        if item is not None and item.convert is None:
            return Column(name, model_field.attname, None)
    # Whatever else the library or a plugin made converts its own value; that needs no instance either.
    return Column(name, model_field.attname, field.to_representation)


def _is_exact(field: Any, model_field: Any) -> bool:
    """Tell whether the database already rounds as the field would; the encoder then writes the same digits."""
    return (
        isinstance(model_field, models.DecimalField)
        and getattr(field, "coerce_to_string", api_settings.COERCE_DECIMAL_TO_STRING)
        and field.decimal_places == model_field.decimal_places
        and not field.localize
        and not field.normalize_output
        and field.rounding is None
    )


def _text_of(field: Any, model_field: Any) -> Converter | None:
    """Return the field's own conversion where the loaded value is not of the field's type."""
    expected: tuple[tuple[type, tuple[type, ...]], ...] = (
        (
            serializers.CharField,
            (models.CharField, models.TextField, models.GenericIPAddressField, models.UUIDField),
        ),
        (
            serializers.IntegerField,
            (models.IntegerField,),
        ),
    )
    for kind, loaded in expected:
        if issubclass(type(field), kind) and not isinstance(model_field, loaded):
            convert: Converter = field.to_representation
            return convert
    return None
