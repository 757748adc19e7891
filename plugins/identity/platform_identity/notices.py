"""What people are told of their own account: identity hears of its own events and writes a mail."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any
from uuid import UUID

from platform_core.contributions import Subscription
from platform_core.events import Received
from platform_core.mail import Mail, send_mail
from platform_identity.events import (
    RoleAssigned,
    RoleUnassigned,
    UserPasswordChanged,
    UserReactivated,
    UserSuspended,
)
from platform_identity.mails import (
    AccountReactivated,
    AccountSuspended,
    PasswordChanged,
    RoleGiven,
    RoleTaken,
)
from platform_identity.models import LoginSession, Role, User

_OF_OTHERS = ("identity.", "system.")
_ONLY_LOOKING = ("view_", "export_")


def tell_of_suspension(received: Received[UserSuspended]) -> None:
    """Tell the user that they were shut out."""
    _tell(received.event.user, AccountSuspended(at=received.occurred_at))


def tell_of_reactivation(received: Received[UserReactivated]) -> None:
    """Tell the user that they may sign in again."""
    _tell(received.event.user, AccountReactivated(at=received.occurred_at))


def tell_of_new_password(received: Received[UserPasswordChanged]) -> None:
    """Tell the user that their password is another one, whoever changed it."""
    _tell(received.event.user, PasswordChanged(at=received.occurred_at))


def tell_of_role(received: Received[RoleAssigned]) -> None:
    """Tell the user that they were given a role that decides about others."""
    _tell_of_role(received.event, received.occurred_at, RoleGiven)


def tell_of_lost_role(received: Received[RoleUnassigned]) -> None:
    """Tell the user that a role that decides about others was taken from them."""
    _tell_of_role(received.event, received.occurred_at, RoleTaken)


def _tell_of_role(
    event: RoleAssigned | RoleUnassigned,
    at: dt.datetime,
    mail: type[RoleGiven | RoleTaken],
) -> None:
    """Tell of roles with power, and those only who have been here: most roles come with the account, in crowds."""
    role = Role.all_objects.get(pk=event.role)
    if _decides(role) and LoginSession.all_objects.filter(user=event.user).exists():
        title = " ".join(role.title.split())  # a subject has one line
        _tell(event.user, mail(role=title, at=at))


def _decides(role: Role) -> bool:
    if role.holds_all:
        return True
    return any(
        name.startswith(_OF_OTHERS) and not name.partition(".")[2].startswith(_ONLY_LOOKING)
        for name in role.effective_permissions
    )


def _tell(user_id: UUID, mail: Mail) -> None:
    """Write to a user, in the language that they chose; one who is gone meanwhile is told nothing."""
    user = User.objects.filter(pk=user_id).first()
    if user is not None:
        send_mail(mail, to=user.email, language=user.language)


def _subscription(name: str, event: Any, run: Callable[[Received[Any]], None]) -> Subscription:
    return Subscription(name=f"identity.{name}", event=event.name, run=run)


SUBSCRIPTIONS = (
    _subscription("tell_of_suspension", UserSuspended, tell_of_suspension),
    _subscription("tell_of_reactivation", UserReactivated, tell_of_reactivation),
    _subscription("tell_of_new_password", UserPasswordChanged, tell_of_new_password),
    _subscription("tell_of_role", RoleAssigned, tell_of_role),
    _subscription("tell_of_lost_role", RoleUnassigned, tell_of_lost_role),
)
