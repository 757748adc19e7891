"""Roles: what they hold, what they inherit, and the ones that plugins ship."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING
from uuid import UUID

from django.db import connection, transaction
from django.utils.translation import gettext as _

from platform_core.access import Actor
from platform_core.errors import Invalid
from platform_core.observability import security_event
from platform_identity.errors import RoleCycle, RoleProvided
from platform_identity.holdings import held_until
from platform_identity.models import Role, RoleInheritance
from platform_identity.services.delegation import require_held

if TYPE_CHECKING:
    from platform_core.contributions import Role as DefaultRole

OWNER_ROLE = "identity.owner"
"""The name of the role that holds every permission of every enabled plugin."""

_ROLES_LOCK = 7_301_442_961_084_115_202


@transaction.atomic
def create_role(
    *,
    name: str,
    title: str,
    made_by: Actor,
    permissions: Iterable[str] = (),
    inherits: Sequence[Role] = (),
) -> Role:
    """Make a role of an admin's own; NotHeld when it would hold what its maker does not hold everywhere, without end.

    Raises Invalid for a role that inherits from one that holds everything.
    """
    lock_roles()
    held = held_until(made_by, None)
    role: Role = Role.objects.create(name=name, title=title, permissions=sorted(set(permissions)))
    _inherit(role, inherits)
    recompute_effective_permissions()
    role.refresh_from_db()
    require_held(role.effective_permissions, held_by=made_by, held=held)
    security_event("identity.role_created", role=role.name)
    return role


@transaction.atomic
def update_role(
    *,
    role: Role,
    changed_by: Actor,
    name: str | None = None,
    title: str | None = None,
    permissions: Iterable[str] | None = None,
    inherits: Sequence[Role] | None = None,
) -> Role:
    """Change an admin's role and whatever inherits from it.

    Raises RoleProvided for a role that a plugin ships, RoleCycle, and NotHeld when the role gains what
    ``changed_by`` does not hold everywhere, without end.
    """
    lock_roles()
    role.refresh_from_db(fields=["effective_permissions", "provided_by"])
    if role.provided_by:
        raise RoleProvided
    held = held_until(changed_by, None)
    before, name_before = set(role.effective_permissions), role.name
    if name is not None:
        role.name = name
    if title is not None:
        role.title = title
    if permissions is not None:
        role.permissions = sorted(set(permissions))
    role.save()
    if inherits is not None:
        _inherit(role, inherits)
    recompute_effective_permissions()
    role.refresh_from_db()
    gained = set(role.effective_permissions) - before
    require_held(gained, held_by=changed_by, held=held)
    security_event("identity.role_changed", role=name_before, gained=",".join(sorted(gained)))
    return role


@transaction.atomic
def delete_role(*, role: Role) -> None:
    """Delete an admin's role softly; refused while it is assigned, and for roles that plugins ship."""
    if role.provided_by:
        raise RoleProvided
    lock_roles()
    RoleInheritance.objects.filter(role=role).delete()
    RoleInheritance.objects.filter(parent=role).delete()
    role.delete()
    recompute_effective_permissions()
    security_event("identity.role_deleted", role=role.name)


@transaction.atomic
def synchronise_roles(defaults: Sequence[DefaultRole]) -> None:
    """Store the default roles of the enabled plugins.

    What a plugin ships decides title, permissions and inheritance of its roles, at every migrate. Roles made by an
    admin are not touched. The role of a dormant plugin stays with its assignments, so that enabling the plugin again
    gives everybody back what they had; meanwhile the permissions it names are in no registry and give nothing.
    """
    lock_roles()
    known = {role.name: role for role in Role.objects.all()}
    for default in defaults:
        role = known.get(default.name) or Role(name=default.name)
        wanted = {
            "title": str(default.title),
            "permissions": sorted(set(default.permissions)),
            "provided_by": default.name.partition(".")[0],
            "holds_all": default.name == OWNER_ROLE,
        }
        if role._state.adding or any(getattr(role, key) != value for key, value in wanted.items()):
            for key, value in wanted.items():
                setattr(role, key, value)
            role.save()
        known[default.name] = role
    for default in defaults:
        _inherit(known[default.name], [known[name] for name in default.inherits])
    recompute_effective_permissions()


def recompute_effective_permissions() -> None:
    """Bring the effective permissions of every role up to date; RoleCycle when roles inherit in a circle."""
    own = dict(Role.all_objects.values_list("pk", "permissions"))
    parents: dict[UUID, list[UUID]] = {key: [] for key in own}
    for role, parent in RoleInheritance.objects.values_list("role_id", "parent_id"):
        parents[role].append(parent)
    effective: dict[UUID, frozenset[str]] = {}
    try:
        # However long a chain is: each role comes after those that it inherits from.
        for key in TopologicalSorter(parents).static_order():
            inherited = (effective[parent] for parent in parents[key])
            effective[key] = frozenset(own[key]).union(*inherited)
    except CycleError as error:
        raise RoleCycle from error

    with connection.cursor() as cursor:
        # Derived from what history records already, so the column is written past it.
        cursor.executemany(
            "UPDATE identity_role SET effective_permissions = %s"
            " WHERE id = %s AND effective_permissions IS DISTINCT FROM %s::varchar[]",
            [(names := sorted(effective[key]), key, names) for key in own],
        )


def _inherit(role: Role, parents: Sequence[Role]) -> None:
    """Make ``parents`` what ``role`` inherits from, and nothing else."""
    if any(parent.pk == role.pk for parent in parents):
        raise RoleCycle
    if any(parent.holds_all for parent in parents):
        raise Invalid(
            _("Nothing inherits from the role that holds everything; assign that role itself."),
            pointer="/inherits",
        )
    wanted = {parent.pk for parent in parents}
    steps = RoleInheritance.objects.filter(role=role)
    steps.exclude(parent__in=wanted).delete()
    present = set(steps.values_list("parent_id", flat=True))
    RoleInheritance.objects.bulk_create(
        RoleInheritance(role=role, parent_id=key) for key in sorted(wanted - present)
    )


def lock_roles() -> None:
    """Make changes to roles wait for one another, so that two cannot close a circle together."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_ROLES_LOCK])
