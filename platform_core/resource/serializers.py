"""The serializer base: refuses what it does not know, leaves uniqueness to the database, scopes related rows."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, cast

import orjson
from django.core.exceptions import ObjectDoesNotExist
from django.db import models
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.relations import MANY_RELATION_KWARGS
from rest_framework.validators import UniqueValidator

from platform_core.models import keep_for_reference
from platform_core.resource.related import kept_row, visible
from platform_core.resource.rendering import dumps

if TYPE_CHECKING:
    from platform_core.access import Actor
    from platform_core.resource.field_access import FieldGate


MOST_NESTED = 100
"""How deep lists and objects may be inside one another in a value."""
_MOST_REFUSED = 200
"""Names that are refused one by one; a body of two megabytes has room for a quarter of a million."""
_LOWEST, _HIGHEST = -(2**63), 2**63 - 1
_WANTING = _("This field is required, and you may not set it.")


class UTCDateTimeField(serializers.DateTimeField):
    """A datetime that is always shown in UTC (RFC 3339 with ``Z``), wherever the deployment is."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("default_timezone", dt.UTC)
        super().__init__(**kwargs)


class StorableJSONField(serializers.JSONField):
    """JSON that can be shown again: what the database makes of larger numbers, or deeper lists, no encoder writes."""

    default_error_messages: ClassVar[dict[str, Any]] = {
        "out_of_range": _("This holds a number that is too large."),
        "too_deep": _("This is nested too deeply."),
    }

    def to_internal_value(self, data: Any) -> Any:
        """Return ``data``; refuses what could be stored and never be read."""
        self._check(data, MOST_NESTED)
        return super().to_internal_value(data)

    def _check(self, data: Any, depth: int) -> None:
        if isinstance(data, (int, float)) and not _LOWEST <= data <= _HIGHEST:
            self.fail("out_of_range")
        inner = data.values() if isinstance(data, dict) else data if isinstance(data, list) else ()
        if inner and not depth:
            self.fail("too_deep")
        for one in inner:
            self._check(one, depth - 1)


class ScopedRelatedList(serializers.ManyRelatedField):
    """The references of a field with ``many=True``; an object is no list, though it can be gone through."""

    def to_internal_value(self, data: Any) -> Any:
        """Return the rows with the ids in ``data``."""
        if isinstance(data, Mapping):
            self.fail("not_a_list", input_type=type(data).__name__)
        return super().to_internal_value(data)


class ScopedRelatedField(serializers.PrimaryKeyRelatedField[Any]):
    """A reference by id that finds only rows the actor may see; the others do not exist.

    The present value is accepted too, so that a body can be sent back as it was read.
    """

    default_error_messages: ClassVar[dict[str, Any]] = {
        "does_not_exist": _("There is no such thing."),
        "incorrect_type": _("An id is expected."),
    }

    @classmethod
    def many_init(cls, *args: Any, **kwargs: Any) -> ScopedRelatedList:
        """Return the list of such references."""
        shared = {key: kwargs[key] for key in MANY_RELATION_KWARGS if key in kwargs}
        return ScopedRelatedList(child_relation=cls(*args, **kwargs), **shared)

    def get_queryset(self) -> Any:
        """Return the related rows in the actor's view scope, or ``None`` when the field is read-only."""
        model = self._related_model()
        if self.read_only or model is None:
            return None
        return visible(self.context["actor"], model)

    def to_internal_value(self, data: Any) -> Any:
        """Return the row with the id ``data``.

        Raises ``ValidationError`` alike for an id that does not exist and one that the actor may not see.
        """
        key = self._key(data)
        present = self._present(key)
        if present is not None:
            return present
        return self._found(key, self.context["actor"])

    def referred(self, data: Any, actor: Actor) -> Any:
        """Return what ``run_validation`` does for a new row, without asking the context who ``actor`` is."""
        is_empty, value = self.validate_empty_values(None if data == "" else data)
        return value if is_empty else self._found(self._key(value), actor)

    def _found(self, key: Any, actor: Actor) -> Any:
        found = self._kept(key, actor)
        if found is None:
            self.fail("does_not_exist")
        return found

    def _kept(self, key: Any, actor: Actor) -> Any:
        """Return the row, kept from deletion until the transaction ends, or ``None`` when it is not there."""
        if type(self).get_queryset is ScopedRelatedField.get_queryset:
            return kept_row(actor, self._related_model(), key, self._steps())
        try:
            found = self.get_queryset().get(pk=key)
        except ObjectDoesNotExist:
            return None
        return found if keep_for_reference(found) else None

    def _steps(self) -> tuple[str, ...]:
        """Return the way from the related row to the unit that grants are scoped by, where it goes by there."""
        model = getattr(getattr(self.parent, "Meta", None), "model", None)
        first, *rest = getattr(model, "unit_path", "").split("__")
        return tuple(rest) if first == self.source else ()

    def _related_model(self) -> Any:
        declared: Any = vars(self).get("queryset")
        return None if declared is None else declared.model

    def _key(self, data: Any) -> Any:
        field = cast("Any", self._related_model())._meta.pk
        if isinstance(field, models.UUIDField):
            if isinstance(data, uuid.UUID):
                return data
            if not isinstance(data, str):
                self.fail("incorrect_type")
            try:
                return uuid.UUID(data)
            except ValueError:
                self.fail("incorrect_type")
        if isinstance(data, bool) or not isinstance(data, (int, str)):
            self.fail("incorrect_type")
        try:
            return field.to_python(data)
        except Exception:  # whatever a custom key's parsing raises, the input is not an id
            self.fail("incorrect_type")

    def _present(self, key: Any) -> Any:
        instance = getattr(self.parent, "instance", None)
        if not isinstance(instance, models.Model) or "." in (self.source or ""):
            return None
        gate = getattr(self.parent, "gate", None)
        if gate is not None and not gate.reads(str(self.field_name)):
            return None
        field = instance._meta.get_field(cast("str", self.source))
        if getattr(instance, getattr(field, "attname", ""), None) != key:
            return None
        return getattr(instance, cast("str", self.source))


class ModelSerializer(serializers.ModelSerializer[Any]):
    """A serializer of one model, used for both roads of ``Resource``.

    A field of the body that the serializer does not know is an error; a read-only one may only repeat its present
    value. There are no uniqueness queries: the database refuses, and the refusal names the field.
    """

    gate: FieldGate | None = None
    """What the resource's rules about fields say; without any, all fields are as they are declared."""

    serializer_related_field = ScopedRelatedField
    serializer_field_mapping: ClassVar[dict[Any, Any]] = {
        **serializers.ModelSerializer.serializer_field_mapping,
        models.DateTimeField: UTCDateTimeField,
        models.JSONField: StorableJSONField,
    }

    def keep_to(self, gate: FieldGate) -> None:
        """Make read-only what ``gate`` does not let be written; a new row then lacks it."""
        self.gate = gate
        for name, field in self.fields.items():
            if not field.read_only and not gate.writes(name):
                if field.required and self.instance is None:
                    self._wanting.append(name)
                field.read_only, field.required = True, False

    @cached_property
    def _wanting(self) -> list[str]:
        """The required fields that whoever writes may not set."""
        return []

    def to_internal_value(self, data: Any) -> Any:
        """Validate ``data`` field by field, reporting unknown and read-only fields with the rest."""
        refused = self._refused(data) if isinstance(data, dict) else {}
        try:
            value = super().to_internal_value(data)
        except ValidationError as error:
            if refused and isinstance(error.detail, dict):
                raise ValidationError({**error.detail, **refused}) from error
            raise
        if refused:
            raise ValidationError(refused)
        return value

    def _refused(self, data: Mapping[str, Any]) -> dict[str, list[ErrorDetail]]:
        refused = {name: [ErrorDetail(str(_WANTING), "required")] for name in self._wanting}
        present: Mapping[str, Any] | None = None
        for name, value in data.items():
            if len(refused) >= _MOST_REFUSED:
                break
            field = self.fields.get(name)
            if field is None:
                refused[name] = [ErrorDetail(str(_("There is no such field.")), "unknown_field")]
            elif field.read_only:
                present = self._present() if present is None else present
                hidden = self.gate is not None and not self.gate.reads(name)
                if hidden or name not in present or present[name] != value:
                    refused[name] = [ErrorDetail(str(_("This field cannot be set.")), "read_only")]
        return refused

    def _present(self) -> Mapping[str, Any]:
        if not isinstance(self.instance, models.Model):
            return {}
        return cast("Mapping[str, Any]", orjson.loads(dumps(self.to_representation(self.instance))))

    def build_standard_field(
        self, field_name: str, model_field: Any
    ) -> tuple[type[serializers.Field[Any, Any, Any, Any]], dict[str, Any]]:
        """Build the field without its uniqueness query."""
        return _without_queries(*super().build_standard_field(field_name, model_field))

    def build_relational_field(
        self, field_name: str, relation_info: Any
    ) -> tuple[type[serializers.Field[Any, Any, Any, Any]], dict[str, Any]]:
        """Build the reference without its uniqueness query."""
        return _without_queries(*super().build_relational_field(field_name, relation_info))

    def get_uniqueness_extra_kwargs(
        self, field_names: Any, declared_fields: Any, extra_kwargs: Any
    ) -> tuple[Any, dict[str, Any]]:
        """Leave fields of uniqueness constraints as the model declares them."""
        return extra_kwargs, {}

    def get_unique_together_validators(self) -> list[Any]:
        """Return none: the database decides."""
        return []

    def get_unique_for_date_validators(self) -> list[Any]:
        """Return none: the database decides."""
        return []


def _without_queries(field_class: Any, kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    validators = kwargs.get("validators")
    if validators:
        kept = [one for one in validators if not isinstance(one, UniqueValidator)]
        kwargs = {**kwargs, "validators": kept}
    return field_class, kwargs
