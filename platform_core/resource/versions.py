"""Two states of one row side by side, and the way back to an earlier one."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

import orjson
from django.http import Http404
from django.utils.translation import gettext_lazy as _

from platform_core.resource.problems import QueryRefused
from platform_core.resource.rendering import dumps
from platform_core.resource.representation import partial_plan_of

if TYPE_CHECKING:
    from uuid import UUID

    from django.db.models import Model
    from django.http import QueryDict

    from platform_core.resource.serializers import ModelSerializer

FROM, TO = "from", "to"
DIFF_PARAMETERS = frozenset({FROM, TO})
_MOST_DIGITS = 18
_KEPT_BY_THE_CORE = frozenset({"updated_at", "version"})


def versions_asked(query: QueryDict) -> tuple[int, int]:
    """Return the two versions that ``query`` names; raises ``QueryRefused`` when one is missing or no number."""
    found = []
    for parameter in (FROM, TO):
        text = str(query.get(parameter, ""))
        if not (text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS):
            raise QueryRefused(parameter, _("Give the number of a version."))
        found.append(int(text))
    return found[0], found[1]


def snapshot_at(
    model: type[Model],
    serializer: ModelSerializer,
    readable: Collection[str],
    pk: UUID,
    version: int,
) -> dict[str, Any]:
    """Return the ``readable`` columns of the row ``pk`` as they were at ``version``, in their JSON form.

    What history does not keep, and what the serializer does not show, is not in it. Raises ``Http404`` when there was no
    such version.
    """
    history: Any = model.history.model  # type: ignore[attr-defined]
    kept = [field.attname for field in history._meta.concrete_fields]
    plan = partial_plan_of(serializer, kept).only(readable)
    rows = history._default_manager.filter(id=pk, version=version).order_by("-history_id")
    loaded = list(rows.values_list(*plan.attributes)[:1])
    if not loaded:
        raise Http404
    found: dict[str, Any] = orjson.loads(dumps(plan.rows(loaded)[0]))
    return found


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the fields whose values differ; what the core itself counts with each write is left out."""
    return [
        {"field": name, "before": before[name], "after": after[name]}
        for name in before
        if name not in _KEPT_BY_THE_CORE and before[name] != after[name]
    ]


def way_back(serializer: ModelSerializer, snapshot: Mapping[str, Any]) -> dict[str, Any]:
    """Return the body of the change that brings a row back to ``snapshot``: the fields that a client may write."""
    return {
        name: snapshot[name]
        for name, field in serializer.fields.items()
        if name in snapshot and not field.read_only
    }
