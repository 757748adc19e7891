"""A grant source in memory over the tests' tree of units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from django.db.models import Model, Q

from platform_core.access import Actor, Grants
from platform_core.contributions import Permission, Role
from tests.core.access.testapp.models import Unit


class MemoryGrantSource:
    """Answers from a mapping of actor ids to grants, and counts how often it is asked."""

    unit_model = "access_testapp.Unit"

    def __init__(self, by_actor: Mapping[UUID, Grants] | None = None) -> None:
        self.by_actor = dict(by_actor or {})
        self.asked = 0

    def grants(self, actor: Actor) -> Grants:
        self.asked += 1
        return self.by_actor.get(actor.id, Grants.none()) if actor.id else Grants.none()

    def within(self, units: frozenset[UUID], prefix: str) -> Q:
        return Q((f"{prefix}__in", sorted(below(units))))

    def covers(self, units: frozenset[UUID], unit: Model) -> bool:
        return unit.pk in below(units)

    def synchronise(self, permissions: Sequence[Permission], roles: Sequence[Role]) -> None:
        """Store nothing: the grants are given."""


def below(units: frozenset[UUID]) -> frozenset[UUID]:
    """Return ``units`` and all units below them."""
    found, edge = set(units), set(units)
    while edge:
        edge = set(Unit.objects.filter(parent__in=edge).values_list("pk", flat=True)) - found
        found |= edge
    return frozenset(found)
