"""What identity tells others: that accounts come, go, and are shut out."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from platform_core.events import Event


class UserEvent(Event):
    """Something has happened to a user's account."""

    aggregate: ClassVar[str] = "user"
    external_fields: ClassVar[tuple[str, ...]] = ("user",)

    user: UUID


class UserCreated(UserEvent):
    """An account was created."""

    name: ClassVar[str] = "identity.user.created"


class UserSuspended(UserEvent):
    """A user was shut out and their sessions were ended."""

    name: ClassVar[str] = "identity.user.suspended"


class UserReactivated(UserEvent):
    """A suspended user may sign in again."""

    name: ClassVar[str] = "identity.user.reactivated"


class UserDeleted(UserEvent):
    """An account was deleted, with its sessions and role assignments."""

    name: ClassVar[str] = "identity.user.deleted"


EVENTS = (UserCreated, UserSuspended, UserReactivated, UserDeleted)
