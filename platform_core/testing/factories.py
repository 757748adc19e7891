"""Rows of any model for tests: required fields are filled, references are made, uniqueness is kept.

Where a model needs more than its fields say, its plugin ships a module ``testing`` with
``FACTORIES = {"education.Student": make_student}``; such a function takes the fields that the caller fixes as keyword
arguments and returns the saved row.
"""

from __future__ import annotations

import importlib
import importlib.util
import itertools
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, TypeVar, cast

from django.apps import apps
from django.core.exceptions import FieldDoesNotExist
from django.db import DatabaseError, models, transaction
from django.db.models import Field, Model

from platform_core.errors import DomainError
from platform_core.testing.values import NoValue, value_for

M = TypeVar("M", bound=Model)
Factory = Callable[..., Model]

_rows = itertools.count(1)


class RowNotMade(Exception):
    """A row of a model could not be made from what its fields say."""


def make(model: type[M], **fixed: Any) -> M:
    """Save and return a row of ``model`` with the ``fixed`` fields, the others filled as far as required.

    Rows that it refers to are made too; several references to one model lead to one row. Raises RowNotMade.
    """
    return _make(model, fixed, {})


def make_many(model: type[M], count: int, **fixed: Any) -> Sequence[M]:
    """Save and return ``count`` rows in few statements; they share what they refer to unless that must be unique."""
    if _registered(model) is not None:
        return [make(model, **fixed) for _ in range(count)]
    apart = _references_to_keep_apart(model)
    known: dict[type[Model], Model] = {}
    columns = {
        field.name: make_many(_target(field), count)
        for field in model._meta.concrete_fields
        if field.name in apart and field.name not in fixed
    }
    rows = []
    for index in range(count):
        values = {name: parents[index] for name, parents in columns.items()} | fixed
        rows.append(_unsaved(model, values, known))
    try:
        with transaction.atomic():
            return model._default_manager.bulk_create(rows)
    except (DatabaseError, DomainError) as error:
        raise _not_made(model, error) from error


def make_in_unit(model: type[M], unit: Model, **fixed: Any) -> M:
    """Save and return a row of ``model`` that belongs to ``unit`` by the model's ``unit_path``.

    What lies on the way and belongs to the unit already is used again. Raises RowNotMade.
    """
    path = str(getattr(model, "unit_path", ""))
    if path == "self":
        return cast("M", unit)
    if not path:
        raise RowNotMade(f"{model._meta.label} has no unit_path.")
    first, _, rest = path.partition("__")
    target = _on_the_way(_target(model._meta.get_field(first)), rest, unit) if rest else unit
    return make(model, **{first: target}, **fixed)


def _on_the_way(model: type[Model], path: str, unit: Model) -> Model:
    found = model._base_manager.filter(**{path: unit}).first()
    if found is not None:
        return found
    first, _, rest = path.partition("__")
    target = _on_the_way(_target(model._meta.get_field(first)), rest, unit) if rest else unit
    return make(model, **{first: target})


def _make(model: type[M], fixed: Mapping[str, Any], known: dict[type[Model], Model]) -> M:
    factory = _registered(model)
    try:
        with transaction.atomic():
            if factory is not None:
                return cast("M", factory(**fixed))
            row = _unsaved(model, fixed, known)
            row.save()
            return row
    except (DatabaseError, DomainError, NoValue, TypeError, ValueError) as error:
        raise _not_made(model, error) from error


def _not_made(model: type[Model], error: Exception) -> RowNotMade:
    package = apps.get_app_config(model._meta.app_label).name
    return RowNotMade(
        f"No row of {model._meta.label} could be made ({type(error).__name__}: {error}). "
        f'Register a function for "{model._meta.label}" in FACTORIES of {package}.testing.'
    )


def _unsaved(model: type[M], fixed: Mapping[str, Any], known: dict[type[Model], Model]) -> M:
    for name in fixed:
        _require_field(model, name)
    for value in fixed.values():
        if isinstance(value, Model):
            known.setdefault(type(value), value)
    row = next(_rows)
    values = dict(fixed)
    for position, field in enumerate(model._meta.concrete_fields):
        given = field.name in fixed or field.attname in fixed
        if not given and _is_needed(field):
            values[field.name] = (
                _parent(field, known)
                if isinstance(field, models.ForeignKey)
                else value_for(field, row, position)
            )
    return model(**values)


def _require_field(model: type[Model], name: str) -> None:
    try:
        model._meta.get_field(name)
    except FieldDoesNotExist:
        attributes = {field.attname for field in model._meta.concrete_fields}
        if name not in attributes and name != "pk":
            raise RowNotMade(f"{model._meta.label} has no field {name!r}.") from None


def _parent(field: models.ForeignKey[Any, Any], known: dict[type[Model], Model]) -> Model:
    target = _target(field)
    if field.unique:
        return _make(target, {}, {})
    if target not in known:
        known[target] = _make(target, {}, known)
    return known[target]


def _is_needed(field: Field[Any, Any]) -> bool:
    # Null without blank is for the database only: people have to say something.
    if field.null and field.blank:
        return False
    if field.has_default() or field.generated or field.primary_key:
        return False
    if getattr(field, "auto_now", False) or getattr(field, "auto_now_add", False):
        return False
    if getattr(field, "db_default", models.NOT_PROVIDED) is not models.NOT_PROVIDED:
        return False
    return not (field.blank and field.empty_strings_allowed and not _must_differ(field))


def _must_differ(field: Field[Any, Any]) -> bool:
    """Tell whether two rows may not share a value of ``field``, alone or in a constraint's company."""
    return field.unique or any(
        field.name in getattr(one, "fields", ()) for one in field.model._meta.constraints
    )


def _references_to_keep_apart(model: type[Model]) -> set[str]:
    """Return the references of which each row needs its own: one of each constraint that no other column keeps."""
    needed = {field.name: field for field in model._meta.concrete_fields if _is_needed(field)}
    apart = {
        name
        for name, field in needed.items()
        if field.unique and isinstance(field, models.ForeignKey)
    }
    constraints = [
        one.fields for one in model._meta.constraints if isinstance(one, models.UniqueConstraint)
    ]
    for names in (*constraints, *model._meta.unique_together):
        if apart & set(names) or any(_varies(model, name) for name in names):
            continue
        references = [name for name in names if isinstance(needed.get(name), models.ForeignKey)]
        apart.update(references[-1:])
    return apart


def _varies(model: type[Model], name: str) -> bool:
    """Tell whether the value of the column ``name`` differs from row to row by itself."""
    field = model._meta.get_field(name)
    if isinstance(field, models.ForeignKey):
        return False
    if getattr(field, "has_default", bool)():
        return callable(getattr(field, "default", None))
    return not getattr(field, "choices", None) and not isinstance(field, models.BooleanField)


def _target(field: Any) -> type[Model]:
    return cast("type[Model]", field.related_model)


def _registered(model: type[Model]) -> Factory | None:
    return _factories(model._meta.app_label).get(model._meta.label)


@cache
def _factories(app_label: str) -> Mapping[str, Factory]:
    name = f"{apps.get_app_config(app_label).name}.testing"
    if importlib.util.find_spec(name) is None:
        return {}
    found: Mapping[str, Factory] = getattr(importlib.import_module(name), "FACTORIES", {})
    return found
