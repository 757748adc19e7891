"""Giving roles to users and taking them away."""

from __future__ import annotations

import datetime as dt
from uuid import UUID

from django.db import transaction
from django.db.models import Model
from django.utils.translation import gettext as _

from platform_core.access import Actor
from platform_core.errors import Invalid
from platform_core.events import emit
from platform_core.observability import security_event
from platform_identity.events import RoleAssigned, RoleUnassigned
from platform_identity.models import OrgUnit, Role, RoleAssignment, User
from platform_identity.services.delegation import (
    grantable_model,
    require_another_owner,
    require_role_held,
    target_of,
)

Scope = RoleAssignment.Scope


@transaction.atomic
def assign_role(
    *,
    user: User,
    role: Role,
    granted_by: Actor,
    unit: OrgUnit | None = None,
    object_model: str = "",
    object_id: UUID | None = None,
    starts_at: dt.datetime | None = None,
    ends_at: dt.datetime | None = None,
) -> RoleAssignment:
    """Give ``role`` to ``user``: in a unit and below, for one object, or without either everywhere.

    ``object_model`` is ``app_label.ModelName``. Raises NotHeld when ``granted_by`` does not hold there, now and until
    ``ends_at``, whatever the role gives, and Invalid for a scope or dates that make no sense.
    """
    scope = _scope(unit, object_model, object_id)
    if role.holds_all and scope != Scope.DEPLOYMENT:
        raise Invalid(
            _("The role that holds everything is given everywhere or not at all."), pointer="/scope"
        )
    _check_dates(starts_at, ends_at)
    role = Role.objects.select_for_update().get(pk=role.pk)
    target = _target(object_model, object_id)
    require_role_held(role, held_by=granted_by, until=ends_at, unit=unit, target=target)
    # Asked afterwards: whoever may not give it there does not learn whether there is such an object.
    if scope == Scope.OBJECT and target is None:
        raise Invalid(_("There is no such object."), pointer="/object_id")
    assignment: RoleAssignment = RoleAssignment.objects.create(
        user=user,
        role=role,
        scope=scope,
        unit=unit,
        object_model=object_model,
        object_id=object_id,
        starts_at=starts_at,
        ends_at=ends_at,
    )
    emit(RoleAssigned(assignment=assignment.pk, user=assignment.user_id, role=assignment.role_id))
    _record("identity.role_assigned", assignment)
    return assignment


@transaction.atomic
def reschedule_assignment(
    *,
    assignment: RoleAssignment,
    changed_by: Actor,
    starts_at: dt.datetime | None,
    ends_at: dt.datetime | None,
) -> RoleAssignment:
    """Change from when to when an assignment counts, which is as much as giving it anew; NotHeld, LastOwner."""
    _check_dates(starts_at, ends_at)
    require_role_held(
        assignment.role,
        held_by=changed_by,
        until=ends_at,
        unit=assignment.unit,
        target=target_of(assignment.object_model, assignment.object_id),
    )
    if ends_at is not None or starts_at is not None:
        require_another_owner(assignment.user, besides=assignment)
    assignment.starts_at = starts_at
    assignment.ends_at = ends_at
    assignment.save(update_fields=["starts_at", "ends_at"])
    _record("identity.role_rescheduled", assignment)
    return assignment


@transaction.atomic
def unassign_role(*, assignment: RoleAssignment) -> None:
    """Take an assignment away, softly; LastOwner when nobody else would hold everything."""
    require_another_owner(assignment.user, besides=assignment)
    assignment.delete()
    emit(RoleUnassigned(assignment=assignment.pk, user=assignment.user_id, role=assignment.role_id))
    _record("identity.role_unassigned", assignment)


def _record(event: str, assignment: RoleAssignment) -> None:
    security_event(
        event,
        user=assignment.user_id,
        role=assignment.role.name,
        scope=assignment.scope,
        unit=assignment.unit_id,
        object=assignment.object_id,
        starts_at=assignment.starts_at,
        ends_at=assignment.ends_at,
    )


def _scope(unit: OrgUnit | None, object_model: str, object_id: UUID | None) -> Scope:
    if unit is not None and (object_model or object_id):
        raise Invalid(_("Give a unit or an object, not both."), pointer="/unit")
    if bool(object_model) != (object_id is not None):
        raise Invalid(_("An object needs both its model and its id."), pointer="/object_id")
    if object_model:
        return Scope.OBJECT
    return Scope.DEPLOYMENT if unit is None else Scope.UNIT


def _target(object_model: str, object_id: UUID | None) -> Model | None:
    if not object_model:
        return None
    if grantable_model(object_model) is None:
        raise Invalid(_("There is no such model."), pointer="/object_model")
    return target_of(object_model, object_id)


def _check_dates(starts_at: dt.datetime | None, ends_at: dt.datetime | None) -> None:
    if starts_at is not None and ends_at is not None and ends_at <= starts_at:
        raise Invalid(_("The end has to be after the start."), pointer="/ends_at")
