"""Bodies of new rows decoded field by field, where a serializer only declares: the very values it would come to.

Building a serializer with all its fields for each request costs more than checking a body. Here the fields of one are
kept per class, and whatever is not plainly right (an unknown field, a missing or refused value) is not judged: the
serializer itself is asked then, and says what is wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from django.core.exceptions import FieldDoesNotExist
from django.core.exceptions import ValidationError as ModelValidationError
from django.core.validators import (
    MaxLengthValidator,
    MinLengthValidator,
    ProhibitNullCharactersValidator,
)
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.fields import empty
from rest_framework.validators import ProhibitSurrogateCharactersValidator

from platform_core.resource.serializers import (
    ModelSerializer,
    ScopedRelatedField,
    StorableJSONField,
    UTCDateTimeField,
)

if TYPE_CHECKING:
    from platform_core.access import Actor

Read = Callable[[Any], Any]

_PLAIN = frozenset(
    {
        serializers.BigIntegerField,
        serializers.BooleanField,
        serializers.CharField,
        serializers.ChoiceField,
        serializers.DateField,
        serializers.DecimalField,
        serializers.DurationField,
        serializers.EmailField,
        serializers.FloatField,
        serializers.IntegerField,
        serializers.IPAddressField,
        serializers.JSONField,
        serializers.ListField,
        serializers.SlugField,
        serializers.TimeField,
        serializers.URLField,
        serializers.UUIDField,
        StorableJSONField,
        UTCDateTimeField,
    }
)
"""Fields that judge a value by what they declare, and by nothing of the request."""
_TEXT_CHECKS = frozenset(
    {
        MaxLengthValidator,
        MinLengthValidator,
        ProhibitNullCharactersValidator,
        ProhibitSurrogateCharactersValidator,
    }
)
_OWN_WAYS = (
    "__init__",
    "create",
    "fields",
    "get_fields",
    "get_initial",
    "is_valid",
    "run_validation",
    "run_validators",
    "save",
    "to_internal_value",
    "validate",
    "validators",
    "_writable_fields",
)
"""What a serializer may do in its own way; then it is asked itself."""


@dataclass(frozen=True, slots=True)
class Decoder:
    """The fields that may be sent, each as the model's column and what reads its value."""

    fields: dict[str, tuple[str, Read]]
    references: dict[str, tuple[str, ScopedRelatedField]]
    required: frozenset[str]

    def decode(self, body: Any, actor: Actor) -> dict[str, Any] | None:
        """Return the values of a new row by column, or ``None`` when the serializer has to judge ``body``.

        What is referred to is locked against deletion until the transaction ends.
        """
        if type(body) is not dict or not self.required <= body.keys():
            return None
        values: dict[str, Any] = {}
        referred: list[str] = []
        try:
            for name, value in body.items():
                known = self.fields.get(name)
                if known is not None:
                    values[known[0]] = known[1](value)
                elif name in self.references:
                    referred.append(name)
                else:
                    return None
            for name in referred:
                column, field = self.references[name]
                values[column] = field.referred(body[name], actor)
        except (ValidationError, ModelValidationError, serializers.SkipField):
            return None
        return values


@cache
def decoder_of(serializer_class: type[Any]) -> Decoder | None:
    """Return the decoder that equals ``serializer_class`` for new rows, or ``None`` when it does more than declare."""
    if not issubclass(serializer_class, ModelSerializer):
        return None
    if any(_is_own(serializer_class, name) for name in _OWN_WAYS):
        return None
    serializer = serializer_class()
    if serializer.validators or any(map(_adds_itself, serializer.fields.values())):
        return None
    model = serializer_class.Meta.model
    settable: dict[str, Any] = {
        name: one for name, one in serializer.fields.items() if not one.read_only
    }
    if not all(_is_declared(serializer, name, field) for name, field in settable.items()):
        return None
    sources = [field.source for field in settable.values()]
    if len(set(sources)) < len(sources) or not all(_is_column(model, one) for one in sources):
        return None
    return Decoder(
        fields={
            name: (field.source, _text(field) or field.run_validation)
            for name, field in settable.items()
            if not _is_reference(field)
        },
        references={
            name: (field.source, field) for name, field in settable.items() if _is_reference(field)
        },
        required=frozenset(name for name, field in settable.items() if field.required),
    )


def _adds_itself(field: Any) -> bool:
    """Tell whether the field gives a value that nobody has sent."""
    return field.default is not empty


def _is_declared(serializer: ModelSerializer, name: str, field: Any) -> bool:
    return not hasattr(serializer, f"validate_{name}") and (
        _is_reference(field) or _is_plain(field)
    )


def _is_reference(field: Any) -> bool:
    return type(field) is ScopedRelatedField and not field.validators


def _is_own(serializer_class: type[Any], name: str) -> bool:
    found = getattr(serializer_class, name, None)
    return found is not getattr(ModelSerializer, name, None)


def _is_column(model: Any, source: str) -> bool:
    try:
        field = model._meta.get_field(source)
    except FieldDoesNotExist:
        return False
    return bool(field.concrete) and not field.many_to_many


def _is_plain(field: Any) -> bool:
    if any(getattr(one, "requires_context", False) for one in field.validators):
        return False
    if type(field) is serializers.ListField:
        return _is_plain(field.child)
    return type(field) in _PLAIN


def _text(field: Any) -> Read | None:
    """Return what reads usual text without asking each validator, or ``None`` for fields that check more."""
    checks = {type(one): one for one in field.validators}
    if type(field) is not serializers.CharField or not checks.keys() <= _TEXT_CHECKS:
        return None
    limits = [
        checks[kind].limit_value if kind in checks else default
        for kind, default in ((MinLengthValidator, 0), (MaxLengthValidator, 10**9))
    ]
    if len(checks) < len(field.validators) or any(callable(one) for one in limits):
        return None
    least, most = limits
    trim, judge = field.trim_whitespace, field.run_validation

    def read(value: Any) -> Any:
        if type(value) is str and value.isascii() and "\x00" not in value:
            text = value.strip() if trim else value
            if text.strip() and least <= len(text) <= most:
                return text
        return judge(value)

    return read
