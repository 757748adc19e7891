"""Users, units, grants and sign-ins for the tests of this and other plugins."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.db.models import Model

from platform_core.access import Actor, system_actor
from platform_identity.authentication import SESSION_ID, actor_of_user
from platform_identity.models import LoginSession, OrgUnit, Role, RoleAssignment, User
from platform_identity.services import assignments, sessions, tokens, units, users
from platform_identity.services.roles import OWNER_ROLE, create_role

PASSWORD = "correct-horse-battery-staple"  # noqa: S105  # nosec B105  (for test users only)


def make_user(
    email: str = "", *, password: str | None = None, display_name: str = "", **extra: Any
) -> User:
    """Create a user; without ``password`` nobody can sign in with one, which saves the time of hashing."""
    return users.create_user(
        email=email or f"user-{uuid4().hex}@example.org",
        password=password,
        display_name=display_name,
        **extra,
    )


def make_unit(name: str = "Unit", *, parent: OrgUnit | None = None, kind: str = "") -> OrgUnit:
    """Create an organisational unit below ``parent``."""
    return units.create_unit(name=name, kind=kind, parent=parent)


def make_role(*permissions: str, name: str = "", inherits: Iterable[Role] = ()) -> Role:
    """Create a role with ``permissions``."""
    name = name or f"role-{uuid4().hex}"
    return create_role(
        name=name,
        title=name,
        permissions=permissions,
        inherits=list(inherits),
        made_by=system_actor("tests"),
    )


def owner_role() -> Role:
    """Return the role that holds every permission, made if a test has emptied the tables."""
    role: Role
    role, _made = Role.objects.get_or_create(
        name=OWNER_ROLE, defaults={"title": "Owner", "holds_all": True, "provided_by": "identity"}
    )
    return role


def make_owner(email: str = "", **extra: Any) -> User:
    """Create a user who holds every permission."""
    user = make_user(email, **extra)
    grant(user, owner_role())
    return user


def grant(
    user: User,
    what: str | Role | Iterable[str],
    scope: OrgUnit | Model | None = None,
    *,
    starts_at: dt.datetime | None = None,
    ends_at: dt.datetime | None = None,
) -> RoleAssignment:
    """Give ``user`` a permission, several, or a role: in a unit and below, for an object, or everywhere."""
    if isinstance(what, str):
        role = make_role(what)
    else:
        role = what if isinstance(what, Role) else make_role(*what)
    where: dict[str, Any] = {}
    if isinstance(scope, OrgUnit):
        where["unit"] = scope
    elif scope is not None:
        where = {"object_model": scope._meta.label, "object_id": scope.pk}
    return assignments.assign_role(
        user=user,
        role=role,
        granted_by=system_actor("tests"),
        starts_at=starts_at,
        ends_at=ends_at,
        **where,
    )


def actor_for(user: User) -> Actor:
    """Return a fresh actor for ``user``, as a request would have it."""
    return actor_of_user(user)


def sign_in_session(user: User, *, kind: str = LoginSession.Kind.APP) -> LoginSession:
    """Start a login session for ``user``."""
    return sessions.start_session(user=user, kind=kind)


def sign_in_token(user: User) -> str:
    """Sign ``user`` in and return an access token."""
    return tokens.issue_tokens(session=sign_in_session(user)).access_token


def auth_header(user: User) -> dict[str, str]:
    """Sign ``user`` in and return the header for Django's test client: ``client.get(url, headers=auth_header(u))``."""
    return {"Authorization": f"Bearer {sign_in_token(user)}"}


def sign_in_client(client: Any, user: User) -> LoginSession:
    """Give Django's test client the cookie of a browser sign-in of ``user``."""
    store = SessionStore()
    store[SESSION_KEY] = str(user.pk)
    store[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    store[HASH_SESSION_KEY] = user.get_session_auth_hash()
    store.create()
    session = sessions.start_session(
        user=user, kind=LoginSession.Kind.BROWSER, session_key=store.session_key or ""
    )
    store[SESSION_ID] = str(session.pk)
    store.save()
    client.cookies[settings.SESSION_COOKIE_NAME] = store.session_key
    return session


def _unit_row(**fields: Any) -> OrgUnit:
    """Save a unit with the path that its parent gives it."""
    unit = OrgUnit(**({"name": f"Unit {uuid4().hex}"} | fields))
    unit.path = [*(unit.parent.path if unit.parent is not None else ()), unit.pk]
    unit.save()
    return unit


def _user_row(**fields: Any) -> User:
    """Save a user who cannot sign in with a password."""
    user = User(**({"email": f"user-{uuid4().hex}@example.org"} | fields))
    user.set_unusable_password()
    user.save()
    return user


def _assignment_row(**fields: Any) -> RoleAssignment:
    """Save an assignment whose scope fits what it is given for."""
    values: dict[str, Any] = dict(fields)
    if "user" not in values and "user_id" not in values:
        values["user"] = _shared_user()
    if "role" not in values and "role_id" not in values:
        values["role"] = _shared_role()
    if values.get("unit") is not None:
        values["scope"] = RoleAssignment.Scope.UNIT
    elif values.get("object_id") is not None:
        values["scope"] = RoleAssignment.Scope.OBJECT
    else:
        values["scope"] = RoleAssignment.Scope.DEPLOYMENT
    assignment: RoleAssignment = RoleAssignment.objects.create(**values)
    return assignment


def _shared_user() -> User:
    """Return one user for all assignments of a test that names none."""
    email = "assigned@example.org"
    return User.objects.filter(email=email).first() or _user_row(email=email)


def _shared_role() -> Role:
    """Return one role for all assignments of a test that names none: each new role recomputes every other."""
    name = "role-without-permissions"
    return Role.objects.filter(name=name).first() or make_role(name=name)


FACTORIES: dict[str, Callable[..., Model]] = {
    "identity.OrgUnit": _unit_row,
    "identity.RoleAssignment": _assignment_row,
    "identity.User": _user_row,
}
"""How the contract suite makes rows that need more than their fields say."""
