"""Lookup paths of rules: checked against the model once, followed in Python as SQL follows them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

from django.core.exceptions import FieldDoesNotExist, ObjectDoesNotExist
from django.db.models.constants import LOOKUP_SEP

if TYPE_CHECKING:
    from django.db.models import Field, Model


class PathError(ValueError):
    """A lookup path does not exist on its model, or is none that a rule can follow."""


@dataclass(frozen=True, slots=True)
class Path:
    """A lookup path resolved against a model.

    ``fields`` are the steps, ``to_many`` tells whether one of them multiplies rows, ``target`` is
    the model at the end when the last step is a relation, ``field`` the column whose values are
    compared.
    """

    names: tuple[str, ...]
    fields: tuple[Any, ...]
    to_many: bool
    target: type[Model] | None
    field: Field[Any, Any]


@lru_cache(maxsize=1024)
def resolve_path(model: type[Model], path: str) -> Path:
    """Return ``path`` (``school__unit``) resolved from ``model``; raises ``PathError``."""
    names = tuple(path.split(LOOKUP_SEP))
    fields: list[Any] = []
    here: type[Model] | None = model
    for name in names:
        if here is None:
            raise PathError(
                f"{path!r} on {model._meta.label}: nothing can follow {fields[-1].name!r}."
            )
        fields.append(_step(here, name, path))
        here = fields[-1].related_model
    last = fields[-1]
    return Path(
        names=names,
        fields=tuple(fields),
        to_many=any(_multiplies(field) for field in fields),
        target=here,
        field=_compared(last),
    )


def _step(model: type[Model], name: str, path: str) -> Any:
    try:
        field: Any = model._meta.pk if name == "pk" else model._meta.get_field(name)
    except FieldDoesNotExist as error:
        raise PathError(f"{path!r}: {model._meta.label} has no field {name!r}.") from error
    if field.is_relation and field.related_model is None:
        raise PathError(f"{path!r}: {name!r} of {model._meta.label} leads to no one model.")
    return field


def _multiplies(field: Any) -> bool:
    return bool(field.many_to_many or field.one_to_many)


def _compared(field: Any) -> Field[Any, Any]:
    if not field.is_relation:
        return cast("Field[Any, Any]", field)
    if field.concrete and not field.many_to_many:
        return _compared(field.target_field)
    return _compared(field.related_model._meta.pk)


def values_at(obj: Model, path: Path) -> Sequence[Any]:
    """Return the values that ``path`` reaches from ``obj``, without ``None``.

    Columns of ``obj`` are read from memory; from the first to-many step on the database is asked,
    past every default manager, as a join would be. Raises ``TypeError`` for a value that only the
    database knows (``F``).
    """
    current = obj
    for index, field in enumerate(path.fields):
        if _multiplies(field):
            rest = LOOKUP_SEP.join(path.names[index:])
            found = type(current)._base_manager.filter(pk=current.pk).values_list(rest, flat=True)
            return [value for value in found if value is not None]
        if index == len(path.fields) - 1 and field.concrete:
            return _known(getattr(current, field.attname), path)
        related = _related(current, field)
        if related is None:
            return []
        current = related
    return [current.pk]


def objects_at(obj: Model, path: Path) -> Sequence[Model]:
    """Return the rows that ``path``, which ends in a relation, reaches from ``obj``."""
    if path.to_many and path.target is not None:
        return list(path.target._base_manager.filter(pk__in=values_at(obj, path)))
    current = obj
    for field in path.fields:
        related = _related(current, field)
        if related is None:
            return []
        current = related
    return [current]


def _known(value: Any, path: Path) -> list[Any]:
    if hasattr(value, "resolve_expression"):
        raise TypeError(
            f"{LOOKUP_SEP.join(path.names)!r} holds an expression: save and reload first."
        )
    return [] if value is None else [path.field.to_python(value)]


def _related(obj: Model, field: Any) -> Model | None:
    if field.concrete:
        return None if getattr(obj, field.attname) is None else getattr(obj, field.name)
    try:
        return cast("Model", getattr(obj, field.get_accessor_name()))
    except ObjectDoesNotExist:
        return None
