"""References opened in place: each kind of related row in one query, within what the actor may see of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from platform_core.resource.flags import flag_is_on
from platform_core.resource.mounted import mounted_resource
from platform_core.resource.problems import QueryRefused
from platform_core.resource.shape import EXPAND

if TYPE_CHECKING:
    from django.db.models import Model

    from platform_core.resource.base import Resource

Path = tuple[str, ...]
Row = dict[str, Any]


def references_of(serializer: Any) -> Mapping[str, type[Model]]:
    """Return the shown references of a serializer by field, with the model that each leads to."""
    found: dict[str, type[Model]] = {}
    options = serializer.Meta.model._meta
    for name, field in serializer.fields.items():
        if isinstance(field, serializers.PrimaryKeyRelatedField) and not field.write_only:
            related = options.get_field(field.source).related_model
            if isinstance(related, type):
                found[name] = related
    return found


def expand(view: Resource, rows: Sequence[Row], paths: Sequence[Path]) -> None:
    """Put the related objects into ``rows`` in the place of their ids, as the version of ``view`` shows them.

    What the actor may not see stays an id. Raises ``QueryRefused`` where a path leads to nothing that is served.
    """
    _expand(view, rows, paths, view.api_version)


def _expand(view: Resource, rows: Sequence[Row], paths: Sequence[Path], version: int) -> None:
    references = references_of(view.get_serializer())
    readable = view.accessible.readable
    for name in dict.fromkeys(path[0] for path in paths):
        further = [path[1:] for path in paths if path[0] == name and len(path) > 1]
        model = references.get(name) if name in readable else None
        served = None if model is None else mounted_resource(model, version)
        if model is None or served is None:
            raise QueryRefused(EXPAND, _("There is no such reference to expand."), "unknown_field")
        ids = {str(one) for row in rows for one in _as_list(row.get(name)) if one is not None}
        found = _related(view, *served, ids, further, version)
        for row in rows:
            if name in row:  # else the actor may not read it in this row
                row[name] = _opened(row[name], found)


def _related(
    view: Resource,
    resource: type[Resource],
    slug: str,
    ids: set[str],
    further: Sequence[Path],
    version: int,
) -> dict[str, Row]:
    if not flag_is_on(view.request, resource.flag):
        return {}
    other = resource.acting_for(view, slug)
    rows = [dict(row) for row in other.rows_with(ids)] if ids else []
    found = {str(row["id"]): row for row in rows}
    if further:
        _expand(other, rows, further, version)
    return found


def _as_list(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else [value]


def _opened(value: Any, found: Mapping[str, Row]) -> Any:
    if isinstance(value, list | tuple):
        return [found.get(str(one), one) for one in value]
    return found.get(str(value), value)
