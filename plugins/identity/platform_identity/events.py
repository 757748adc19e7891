"""What identity tells others: that accounts come, go, and are shut out, and what becomes of passwords and roles."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from platform_core.events import Event


class UserEvent(Event):
    """Something has happened to a user's account."""

    aggregate: ClassVar[str] = "user"

    user: UUID


class UserCreated(UserEvent):
    """An account was created."""

    name: ClassVar[str] = "identity.user.created"
    external_fields: ClassVar[tuple[str, ...]] = ("user",)


class UserSuspended(UserEvent):
    """A user was shut out and their sessions were ended."""

    name: ClassVar[str] = "identity.user.suspended"
    external_fields: ClassVar[tuple[str, ...]] = ("user",)


class UserReactivated(UserEvent):
    """A suspended user may sign in again."""

    name: ClassVar[str] = "identity.user.reactivated"
    external_fields: ClassVar[tuple[str, ...]] = ("user",)


class UserDeleted(UserEvent):
    """An account was deleted, with its sessions and role assignments."""

    name: ClassVar[str] = "identity.user.deleted"
    external_fields: ClassVar[tuple[str, ...]] = ("user",)


class UserPasswordChanged(UserEvent):
    """A user has another password, or none any more, and their sessions were ended."""

    name: ClassVar[str] = "identity.user.password_changed"


class RoleAssignmentEvent(Event):
    """Something has happened to a role that a user was given."""

    aggregate: ClassVar[str] = "assignment"

    assignment: UUID
    user: UUID
    role: UUID


class RoleAssigned(RoleAssignmentEvent):
    """A user was given a role, from now on or later."""

    name: ClassVar[str] = "identity.role_assignment.created"


class RoleUnassigned(RoleAssignmentEvent):
    """A role was taken from a user."""

    name: ClassVar[str] = "identity.role_assignment.deleted"


EVENTS = (
    UserCreated,
    UserSuspended,
    UserReactivated,
    UserDeleted,
    UserPasswordChanged,
    RoleAssigned,
    RoleUnassigned,
)
