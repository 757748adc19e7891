"""The history of one row as its readers may see it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db.models import OuterRef, Subquery

from platform_core.resource.pagination import Keyset, Place
from platform_core.resource.representation import partial_plan_of

if TYPE_CHECKING:
    from collections.abc import Collection
    from uuid import UUID

    from django.db.models import Model

    from platform_core.resource.serializers import ModelSerializer

_ENTRY = (
    "history_id",
    "history_date",
    "history_type",
    "history_change_reason",
    "actor_id",
    "actor_kind",
    "request_id",
    "version",
    "deleted_at",
    "was_type",
    "was_deleted_at",
)


def history_keyset(model: type[Model]) -> Keyset:
    """Return the order of the history of ``model``, newest first."""
    return Keyset.of(model.history.model, "-history_id")  # type: ignore[attr-defined]


def history_rows(
    serializer: ModelSerializer,
    readable: Collection[str],
    pk: UUID,
    keyset: Keyset,
    place: Place | None,
    limit: int,
) -> list[dict[str, Any]]:
    """Return up to ``limit`` entries about the row ``pk``, newest first; going back they come the other way round.

    Each has ``snapshot``: those of the ``readable`` columns that the serializer shows, as they were. What history does
    not keep, and what the serializer computes, is not in it.
    """
    rows = keyset.model._default_manager.filter(id=pk)
    if place is not None:
        rows = keyset.beyond(rows, place)
    rows = rows.annotate(
        was_type=_before(keyset.model, "history_type"),
        was_deleted_at=_before(keyset.model, "deleted_at"),
    )
    order = keyset.order_by(backward=bool(place and place.backward))
    kept = [field.attname for field in keyset.model._meta.concrete_fields]
    plan = partial_plan_of(serializer, kept).only(readable)
    loaded = rows.order_by(*order).values_list(*_ENTRY, *plan.attributes)[:limit]
    entries = list(loaded)
    snapshots = plan.rows([entry[len(_ENTRY) :] for entry in entries])
    return [
        _entry(dict(zip(_ENTRY, entry, strict=False)), snapshot)
        for entry, snapshot in zip(entries, snapshots, strict=True)
    ]


def _before(model: type[Model], column: str) -> Subquery:
    """Return ``column`` of the entry before, which may be on another page."""
    earlier = model._default_manager.filter(
        id=OuterRef("id"), history_id__lt=OuterRef("history_id")
    )
    return Subquery(earlier.order_by("-history_id").values(column)[:1])


def _entry(found: dict[str, Any], snapshot: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": found["history_id"],
        "at": found["history_date"],
        "type": _type_of(found),
        "actor": {"id": found["actor_id"], "kind": found["actor_kind"]},
        "reason": found["history_change_reason"] or "",
        "request_id": found["request_id"] or "",
        "version": found["version"],
        "snapshot": snapshot,
    }


def _type_of(found: dict[str, Any]) -> str:
    if found["history_type"] == "+":
        return "created"
    was_deleted = found["was_deleted_at"] is not None or found["was_type"] == "-"
    is_deleted = found["deleted_at"] is not None or found["history_type"] == "-"
    if is_deleted:
        return "changed" if was_deleted else "deleted"
    return "restored" if was_deleted else "changed"
