"""The tree of organisational units: growing it and moving its branches."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

from django.db import connection, transaction
from django.db.models import Count, Max, Q
from django.db.models.functions import Now

from platform_core.access import Actor, current_actor
from platform_identity.errors import UnitCycle
from platform_identity.models import OrgUnit, Role, RoleAssignment
from platform_identity.services.delegation import require_role_held

_TREE_LOCK = 7_301_442_961_084_115_201
"""Number of the advisory lock that changes to the tree take; any constant that nobody else uses."""


@transaction.atomic
def create_unit(*, name: str, kind: str = "", parent: OrgUnit | None = None) -> OrgUnit:
    """Add a unit below ``parent``, or as a root."""
    unit = OrgUnit(name=name, kind=kind, parent=parent)
    unit.path = [*(_current_path(parent) if parent is not None else ()), unit.pk]
    unit.save()
    return unit


@transaction.atomic
def update_unit(*, unit: OrgUnit, name: str | None = None, kind: str | None = None) -> OrgUnit:
    """Change the name or kind of a unit and return it; ``move_unit`` changes its place."""
    if name is not None:
        unit.name = name
    if kind is not None:
        unit.kind = kind
    unit.save(update_fields=["name", "kind"])
    return unit


@transaction.atomic
def move_unit(*, unit: OrgUnit, parent: OrgUnit | None, moved_by: Actor | None = None) -> OrgUnit:
    """Put ``unit`` with everything below it under ``parent``, or make it a root; UnitCycle when that is below it.

    Roles that were given above the new place reach the unit by the move, so that ``moved_by``, by default the
    current actor, has to hold all that they give in the unit already, and for as long; else NotHeld. Moves wait for one another: two
    that are harmless alone could make a circle together.
    """
    _lock_tree()
    unit.refresh_from_db(fields=["parent", "path"])
    above = _current_path(parent) if parent is not None else []
    if unit.pk in above:
        raise UnitCycle
    mover = moved_by or current_actor()
    for role, until in _roles_given_in(set(above) - set(unit.path)):
        require_role_held(role, held_by=mover, until=until, unit=unit)
    depth = len(unit.path) - 1
    unit.parent = parent
    unit.save(update_fields=["parent"])
    with connection.cursor() as cursor:
        # Nobody edits a path, so one statement for the whole branch writes no history row per descendant.
        cursor.execute(
            "UPDATE identity_orgunit SET path = %s::uuid[] || path[%s:] WHERE path @> ARRAY[%s]::uuid[]",
            [above, depth + 1, unit.pk],
        )
    unit.refresh_from_db()
    return unit


def _roles_given_in(units: set[object]) -> Iterator[tuple[Role, dt.datetime | None]]:
    """Yield the roles that somebody has in one of ``units``, now or from a later time on, and until when at most."""
    given = RoleAssignment.objects.filter(
        Q(ends_at__isnull=True) | Q(ends_at__gt=Now()), unit__in=units
    )
    rows = (
        given.order_by()
        .values("role")
        .annotate(endless=Count("pk", filter=Q(ends_at__isnull=True)), last=Max("ends_at"))
    )
    longest = {row["role"]: None if row["endless"] else row["last"] for row in rows}
    for role in Role.objects.filter(pk__in=longest):
        yield role, longest[role.pk]


def _current_path(unit: OrgUnit) -> list[object]:
    """Return the stored path of ``unit``, which a move may have changed since it was read."""
    _lock_tree()
    path: list[object] = OrgUnit.objects.values_list("path", flat=True).get(pk=unit.pk)
    return path


def _lock_tree() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_TREE_LOCK])
