"""Two units with their people, and the eight personas signed in for real: roles, sessions and tokens of identity."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import jwt
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.hashers import make_password
from django.contrib.sessions.backends.db import SessionStore
from waffle.testutils import override_flag

from platform_core.access import installed_permissions
from platform_core.registry import installed
from platform_identity.authentication import SESSION_ID
from platform_identity.models import LoginSession, OrgUnit, User
from platform_identity.services import sessions, tokens, users
from platform_identity.services.keys import ALGORITHM, key_ring
from platform_identity.testing import (
    PASSWORD,
    grant,
    make_role,
    make_unit,
    make_user,
    owner_role,
)


@dataclass
class World:
    """What a test of access is about: rows in ``unit``, people with roles there, elsewhere, everywhere and nowhere."""

    unit: OrgUnit
    people: dict[str, User] = field(default_factory=dict)
    headers: dict[str, dict[str, str]] = field(default_factory=dict)
    sessions: dict[str, LoginSession] = field(default_factory=dict)
    bystander: User = field(default_factory=make_user)
    """Somebody whom the requests are about."""


@contextmanager
def new_world() -> Iterator[World]:
    """Make the world, in which every feature flag is on and people may sign up while the block runs."""
    with ExitStack() as stack:
        for flag in installed().contributions("flags"):
            stack.enter_context(override_flag(flag.name, active=True))
        known = settings.PLATFORM.plugin_settings
        stack.callback(known.__setitem__, "identity", known["identity"])
        known["identity"] = known["identity"].model_copy(update={"signup_open": True})
        yield _world()


def _world() -> World:
    everything = [one.name for one in installed_permissions()]
    viewing = [name for name in everything if name.partition(".")[2].startswith("view_")]
    district = make_unit("District")
    world = World(unit=make_unit("North", parent=district))
    south = make_unit("South", parent=district)
    keeper = make_role(*everything)
    password = make_password(PASSWORD)
    for name in ("expired", "suspended", "no_role", "other_owner", "viewer", "owner", "admin"):
        world.people[name] = make_user()
        User.objects.filter(pk=world.people[name].pk).update(password=password)
        world.people[name].refresh_from_db()
    for name in ("expired", "suspended", "admin"):
        grant(world.people[name], owner_role())
    grant(world.people["other_owner"], keeper, south)
    grant(world.people["owner"], keeper, world.unit)
    grant(world.people["viewer"], make_role(*viewing))
    world.headers["anonymous"] = {}
    for name, user in world.people.items():
        world.sessions[name] = sign_in(user)
        token = tokens.issue_tokens(session=world.sessions[name]).access_token
        world.headers[name] = {"Authorization": f"Bearer {token}"}
    world.headers["expired"] = {
        "Authorization": f"Bearer {_expired(world.headers['expired']['Authorization'])}"
    }
    users.suspend_user(user=world.people["suspended"])
    return world


def sign_in(user: User) -> LoginSession:
    """Sign ``user`` in as an app does, by a web session that its token stands for."""
    store = SessionStore()
    store[SESSION_KEY] = str(user.pk)
    store[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    store[HASH_SESSION_KEY] = user.get_session_auth_hash()
    store.create()
    session = sessions.start_session(
        user=user, kind=LoginSession.Kind.APP, session_key=store.session_key or ""
    )
    store[SESSION_ID] = str(session.pk)
    store.save()
    return session


def _expired(authorization: str) -> str:
    """Return the token of a header as it would be if it had been issued an hour earlier."""
    claims = jwt.decode(
        authorization.partition(" ")[2], options={"verify_signature": False, "verify_exp": False}
    )
    earlier = {"iat": int(time.time()) - 3600, "exp": int(time.time()) - 3000}
    ring = key_ring()
    headers = {"kid": ring.kid, "typ": tokens.TOKEN_TYPE}
    return jwt.encode(claims | earlier, ring.signing, algorithm=ALGORITHM, headers=headers)


def new_email() -> str:
    """Return an address that nobody has."""
    return f"{uuid4().hex}@example.org"


__all__ = ["PASSWORD", "Any", "World", "new_email", "new_world", "sign_in"]
