"""Where grants come from: roles assigned to users, within a scope and a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db.models import Model, Q

from platform_core.access import (
    Actor,
    Contact,
    Grants,
    MissingReference,
    installed_permissions,
)
from platform_identity.holdings import held_now
from platform_identity.models import OrgUnit, Role, User
from platform_identity.selectors import users_with
from platform_identity.services import portability
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

    def may_act(self, actor: Actor) -> bool:
        """Tell whether work that ``actor`` asked for earlier may still be done: a person who is there, not suspended."""
        if actor.kind != "user":
            return True
        return bool(User.objects.filter(pk=actor.id, suspended_at__isnull=True).exists())

    def contact_of(self, actor: Actor) -> Contact | None:
        """Return how a user is written to, in the language that they chose; none who is gone or suspended."""
        if actor.kind != "user":
            return None
        user = User.objects.filter(pk=actor.id, suspended_at__isnull=True).first()
        return None if user is None else _contact(user)

    def contacts_with(self, permission: str, most: int) -> Sequence[Contact]:
        """Return how those are written to who hold ``permission`` in the whole deployment."""
        return [_contact(user) for user in users_with(permission)[:most]]

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

    def export_grants(self, slug: str) -> Mapping[str, Sequence[Any]]:
        """Return roles, inheritance, assignments and single permissions that belong to a plugin."""
        return portability.export_grants(slug)

    def remove_grants(self, slug: str) -> None:
        """Remove the grants of a plugin that leaves for good."""
        portability.remove_grants(slug)

    def missing_grants(
        self, slug: str, exported: Mapping[str, Sequence[Any]]
    ) -> Sequence[MissingReference]:
        """Return what the grants of a plugin that comes back need and is gone."""
        return portability.missing_grants(slug, exported)

    def import_grants(self, slug: str, exported: Mapping[str, Sequence[Any]]) -> None:
        """Put back the grants of a plugin that comes back."""
        portability.import_grants(slug, exported)


def _contact(user: User) -> Contact:
    return Contact(address=user.email, language=user.language)
