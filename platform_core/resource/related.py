"""Related rows as an actor may know them: never more than the related model's own view scope."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ObjectDoesNotExist
from django.db import connections
from django.db.models import ForeignKey, UUIDField

from platform_core.access import scope
from platform_core.models import keep_for_reference
from platform_core.prepared import fetch_prepared
from platform_core.resource.statements import prepared_statement

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.db.models import Model, QuerySet

    from platform_core.access import Actor

Steps = tuple[str, ...]


def view_permission(model: type[Model]) -> str:
    """Return the name of the permission to see rows of ``model``: ``<app_label>.view_<modelname>``.

    The core's own models, whose permissions begin with its slug, name it themselves.
    """
    named: str | None = getattr(model, "view_permission", None)
    return named or f"{model._meta.app_label}.view_{model._meta.model_name}"


def visible(actor: Actor, model: type[Model]) -> QuerySet[Any]:
    """Return the rows of ``model`` that ``actor`` may see; none when nobody registered the permission."""
    return scope(actor, view_permission(model), model._default_manager.all())


def kept_row(actor: Actor, model: type[Model], key: Any, steps: Steps = ()) -> Any:
    """Return the row that ``actor`` may refer to, locked against deletion until the transaction ends.

    ``None`` when it does not exist for the actor. Where one compiled statement can do it, what the foreign keys ``steps``
    lead to, one after the other, comes with the row; a step that may lead to many ends them.
    """
    if not isinstance(model._meta.pk, UUIDField):  # a number may be out of the column's range
        return _kept_slowly(visible(actor, model), key)
    rows, steps = _rows(model), _forward(model, steps)
    statement = prepared_statement(
        actor,
        view_permission(model),
        ("reference", model, steps),
        lambda one: (
            scope(one, view_permission(model), rows)
            .filter(pk=key)
            .values_list(*_names(model, steps))
        ),
        [model._meta.pk.get_db_prep_value(key, connections[rows.db])],
    )
    if statement is None or rows.query.distinct or rows.query.group_by:
        return _kept_slowly(visible(actor, model), key)
    sql, params = statement
    table = connections[rows.db].ops.quote_name(model._meta.db_table)
    found = fetch_prepared(f"{sql} FOR KEY SHARE OF {table}", params, using=rows.db)
    return _built(model, steps, found[0], rows.db) if found else None


def _kept_slowly(rows: QuerySet[Any], key: Any) -> Any:
    try:
        found = rows.get(pk=key)
    except ObjectDoesNotExist:
        return None
    return found if keep_for_reference(found) else None


@cache
def _rows(model: type[Model]) -> QuerySet[Any]:
    """Return the live rows in no order, never evaluated: filters make copies of it."""
    return model._default_manager.order_by()


@cache
def _forward(model: type[Model], steps: Steps) -> Steps:
    """Return the first of ``steps`` that are foreign keys."""
    found: list[str] = []
    here: Any = model
    for step in steps:
        field: Any = here._meta.get_field(step)
        if not isinstance(field, ForeignKey) or not isinstance(here := field.related_model, type):
            break
        found.append(step)
    return tuple(found)


@cache
def _names(model: type[Model], steps: Steps) -> Sequence[str]:
    """Return the columns of the row and of what each of ``steps`` leads to, as lookups."""
    names, prefix = [], ""
    for one, step in zip(_models(model, steps), (*steps, ""), strict=True):
        names += [f"{prefix}{field.attname}" for field in one._meta.concrete_fields]
        prefix += f"{step}__"
    return names


@cache
def _models(model: type[Model], steps: Steps) -> Sequence[Any]:
    found: list[Any] = [model]
    for step in steps:
        found.append(found[-1]._meta.get_field(step).related_model)
    return found


def _built(model: type[Model], steps: Steps, values: Sequence[Any], using: str) -> Any:
    """Return the row with what its foreign keys lead to, as ``select_related`` makes it."""
    built, start = [], 0
    for one in _models(model, steps):
        names = [field.attname for field in one._meta.concrete_fields]
        part, start = values[start : start + len(names)], start + len(names)
        key = part[names.index(one._meta.pk.attname)]
        built.append(None if key is None else one.from_db(using, names, part))
    for row, step, related in zip(built, steps, built[1:], strict=False):
        if row is not None:
            row._meta.get_field(step).set_cached_value(row, related)
    return built[0]
