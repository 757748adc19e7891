"""Nobody grants what they do not hold for as long, and somebody always holds everything."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.apps import apps
from django.db.models import Model, Q, QuerySet, UUIDField
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from platform_core.access import Actor, Grant, Grants
from platform_identity.errors import LastOwner, NotHeld
from platform_identity.holdings import held_until
from platform_identity.models import OrgUnit, Role, RoleAssignment, User

Scope = RoleAssignment.Scope


def require_held(
    permissions: Iterable[str],
    *,
    held_by: Actor,
    until: dt.datetime | None = None,
    unit: OrgUnit | None = None,
    target: Model | None = None,
    held: Grants | None = None,
) -> None:
    """Raise NotHeld unless ``held_by`` holds every one of ``permissions``: for ``target``, in ``unit``, or everywhere.

    Ask before anything is written, or give as ``held`` what ``held_until`` said then: whoever changes a role that they
    have themselves would hold what they are only about to gain.

    They have to hold it now and ``until`` then, or without an end: what counts until Friday is not made to count
    longer by giving it on, nor by changing what lasts: a role, a unit's place.
    The operator at the command line is a system actor and may give anything. A permission that no enabled plugin
    defines gives nothing now, but would once its plugin is back, so it has to be held everywhere too.
    """
    if held_by.kind == "system":
        return
    held = held_until(held_by, until) if held is None else held
    for permission in permissions:
        if not _covers(held.get(permission), unit, target):
            raise NotHeld(
                _(
                    "You cannot give “%(permission)s”: you do not hold it there for as long yourself."
                )
                % {"permission": permission}
            )


def require_everything(held_by: Actor, *, until: dt.datetime | None = None) -> None:
    """Raise NotHeld unless ``held_by`` is an owner now and ``until`` then, or without an end."""
    if held_by.kind == "system":
        return
    lasting = Q(ends_at__isnull=True)
    if until is not None:
        lasting |= Q(ends_at__gte=until)
    if held_by.id is None or not _owners().filter(lasting, user_id=held_by.id).exists():
        raise NotHeld(_("Only an owner can make somebody else an owner, and not for longer."))


def require_all_grants_of(user: User, *, held_by: Actor) -> None:
    """Raise NotHeld unless ``held_by`` holds whatever ``user`` was ever given, where and for as long as it was given."""
    for assignment in RoleAssignment.objects.filter(user=user).select_related("role", "unit"):
        require_role_held(
            assignment.role,
            held_by=held_by,
            until=assignment.ends_at,
            unit=assignment.unit,
            target=target_of(assignment.object_model, assignment.object_id),
        )


def require_role_held(
    role: Role,
    *,
    held_by: Actor,
    until: dt.datetime | None,
    unit: OrgUnit | None = None,
    target: Model | None = None,
) -> None:
    """Raise NotHeld unless ``held_by`` holds everything that ``role`` gives in that scope, for as long."""
    if role.holds_all:
        require_everything(held_by, until=until)
    else:
        require_held(
            role.effective_permissions, held_by=held_by, until=until, unit=unit, target=target
        )


def require_another_owner(user: User, *, besides: RoleAssignment | None = None) -> None:
    """Raise LastOwner when nobody but ``user`` holds everything, for good, and ``user`` does.

    It locks the roles that hold all until the transaction ends, so that two owners cannot remove each other at
    once. With ``besides`` only that assignment of the user is going.
    """
    list(Role.objects.filter(holds_all=True).select_for_update().order_by("pk"))
    owners = _owners().filter(ends_at__isnull=True)
    going = owners.filter(user=user)
    if besides is not None:
        going = going.filter(pk=besides.pk)
    ids = list(going.values_list("pk", flat=True))
    if ids and not owners.exclude(pk__in=ids).exists():
        raise LastOwner


def target_of(model: str, key: UUID | None) -> Model | None:
    """Return the object that an assignment is scoped to, also a deleted one; None when there is none (any more)."""
    known = grantable_model(model)
    if known is None or key is None:
        return None
    found: Model | None = known._base_manager.filter(pk=key).first()
    return found


def grantable_model(name: str) -> type[Model] | None:
    """Return the model called ``app_label.ModelName`` if grants can be about single rows of it: their key is a UUID."""
    try:
        found: type[Model] = apps.get_model(name)
    except (LookupError, ValueError):
        return None
    return found if isinstance(found._meta.pk, UUIDField) else None


def _owners() -> QuerySet[RoleAssignment]:
    owners: QuerySet[RoleAssignment] = RoleAssignment.objects.filter(
        Q(starts_at__isnull=True) | Q(starts_at__lte=Now()),
        Q(ends_at__isnull=True) | Q(ends_at__gt=Now()),
        role__holds_all=True,
        role__deleted_at__isnull=True,
        scope=Scope.DEPLOYMENT,
        user__suspended_at__isnull=True,
        user__deleted_at__isnull=True,
    )
    return owners


def _covers(grant: Grant, unit: OrgUnit | None, target: Model | None) -> bool:
    if grant.everywhere:
        return True
    if target is not None:
        if target.pk in grant.objects:
            return True
        unit = _unit_of(target)
    return unit is not None and unit.is_within(grant.units)


def _unit_of(target: Model) -> OrgUnit | None:
    path = getattr(target, "unit_path", "")
    if not path:
        return None
    steps = [] if path == "self" else path.split("__")
    unit: Any = target
    for step in steps:
        unit = getattr(unit, step, None)
    return unit if isinstance(unit, OrgUnit) else None
