"""Where grants come from: roles assigned to users, within a scope and a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from django.db.models import Model, Q

from platform_core.access import Actor, Grants, installed_permissions
from platform_identity.holdings import held_now
from platform_identity.models import OrgUnit, Role
from platform_identity.services.roles import synchronise_roles

if TYPE_CHECKING:
    from platform_core.contributions import Permission
    from platform_core.contributions import Role as DefaultRole


class RoleGrants:
    """The grant source of the core, answered from role assignments; union only, no deny."""

    unit_model = "identity.OrgUnit"

    def grants(self, actor: Actor) -> Grants:
        """Return what a user holds now, in one query; service actors are assigned no roles."""
        return held_now(actor)

    def within(self, units: frozenset[UUID], prefix: str) -> Q:
        """Return the condition that the unit at ``prefix`` has one of ``units`` on its path from the root."""
        below = OrgUnit.all_objects.filter(path__overlap=list(units)).values("pk")
        return Q(**{f"{prefix}__in": below})

    def covers(self, units: frozenset[UUID], unit: Model) -> bool:
        """Tell whether one of ``units`` is on the path of ``unit``; a new unit's path is that of its parent."""
        return isinstance(unit, OrgUnit) and unit.is_within(units)

    def synchronise(self, permissions: Sequence[Permission], roles: Sequence[DefaultRole]) -> None:
        """Store the default roles of the enabled plugins, after each migrate."""
        synchronise_roles(roles)

    def permissions_by_role(self) -> dict[str, frozenset[str]]:
        """Return what each stored role holds, for a plan of plugins to say who gains what."""
        every = frozenset(one.name for one in installed_permissions())
        rows = Role.objects.values_list("name", "holds_all", "effective_permissions")
        return {name: every if all_ else frozenset(held) for name, all_, held in rows}
