"""Reads of education that others may call."""

from __future__ import annotations

from typing import Final

from platform_core.access import Actor, scope
from platform_education.models import Organisation, School
from platform_identity.selectors import current_assignments

LONGEST: Final = 100
"""Schools told of one person at most; whoever works for more has the list of schools."""


def has_schools() -> bool:
    """Tell whether any school or organisation was ever recorded, deleted ones included."""
    return any(model.all_objects.exists() for model in (School, Organisation))


def schools_of(actor: Actor) -> list[dict[str, str]]:
    """Return the schools in whose units, or above which, a user holds a role now and which the user may see, by name.

    A role in the whole deployment belongs to no school. At most ``LONGEST`` are returned, in two queries.
    """
    if actor.id is None or actor.kind != "user":
        return []
    units = [one.unit_id for one in current_assignments(actor.id) if one.scope == "unit"]
    if not units:
        return []
    found = scope(actor, "education.view_school", School.objects.filter(unit__path__overlap=units))
    rows = found.order_by("name", "pk").values_list("pk", "name")[:LONGEST]
    return [{"id": str(key), "name": name} for key, name in rows]
