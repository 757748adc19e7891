"""The columns of a resource in a file: one for each field, and what its cells mean."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from rest_framework import serializers

from platform_core.exchange.cells import Column, Kind

if TYPE_CHECKING:
    from rest_framework.fields import Field

_KINDS: tuple[tuple[type[Any], Kind], ...] = (
    (serializers.BooleanField, "boolean"),
    (serializers.IntegerField, "integer"),
    (serializers.FloatField, "float"),
    (serializers.DecimalField, "decimal"),
    (serializers.DateTimeField, "datetime"),
    (serializers.DateField, "date"),
    (serializers.MultipleChoiceField, "json"),
    (serializers.JSONField, "json"),
    (serializers.ListField, "json"),
    (serializers.DictField, "json"),
    (serializers.BaseSerializer, "json"),
    (serializers.ManyRelatedField, "json"),
    (serializers.CharField, "text"),
)


def column_of(name: str, field: Field[Any, Any, Any, Any]) -> Column:
    """Return the column of one field of a serializer."""
    kinds: list[Kind] = [kind for known, kind in _KINDS if isinstance(field, known)]
    kind = kinds[0] if kinds else "other"
    nullable = kind == "text" and bool(field.allow_null)
    return Column(name, kind, nullable)


def columns_of(fields: Mapping[str, Any], names: Iterable[str]) -> list[Column]:
    """Return the columns of those fields that are called one of ``names``, in the order of the fields."""
    wanted = set(names)
    return [column_of(name, field) for name, field in fields.items() if name in wanted]
