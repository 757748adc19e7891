"""Reads of identity that other plugins may call."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Now

from platform_core.access import Grants
from platform_core.prepared import fetch_prepared
from platform_identity.holdings import ASSIGNED_NOW, grants_of
from platform_identity.models import RoleAssignment, User, normalise_email

_BASICS = ("id", "email", "display_name", "language", "suspended_at", "deleted_at")
_FIELDS = tuple(one.attname for one in User._meta.concrete_fields if one.attname in _BASICS)

# One statement per request, so it is spelt out instead of built by the ORM each time.
_SIGNED_IN = (
    f"SELECT {', '.join('u.' + name for name in _FIELDS)}, s.session_key, {ASSIGNED_NOW}"  # noqa: S608  # nosec B608  (names of the model)
    """
FROM identity_loginsession AS s
JOIN identity_user AS u ON u.id = s.user_id
WHERE s.id = %s AND s.user_id = %s
  AND s.revoked_at IS NULL AND s.deleted_at IS NULL AND s.expires_at > statement_timestamp()
  AND u.suspended_at IS NULL AND u.deleted_at IS NULL
"""
)


def signed_in_user(*, user_id: UUID, session_id: UUID) -> User | None:
    """Return the user while the login session runs and the user may act, else None; one query.

    Only id, address, name and language are loaded; anything else is fetched when it is asked for.
    """
    found = signed_in(user_id=user_id, session_id=session_id)
    return None if found is None else found[0]


def signed_in(*, user_id: UUID, session_id: UUID) -> tuple[User, Grants] | None:
    """Return the user as ``signed_in_user`` does, and what they hold now; still one query."""
    row = _signed_in_row(user_id, session_id)
    if row is None:
        return None
    return User.from_db("default", _FIELDS, row[:-2]), grants_of(row[-1])


def web_session_key(*, user_id: UUID, session_id: UUID) -> str | None:
    """Return the key of the web session behind a running login session, else None; a credential."""
    row = _signed_in_row(user_id, session_id)
    return None if row is None else row[-2] or None


def user_by_email(email: str) -> User | None:
    """Return the live user who signs in with ``email``, suspended or not."""
    found: User | None = User.objects.filter(email=normalise_email(email)).first()
    return found


def current_assignments(user_id: UUID) -> QuerySet[RoleAssignment]:
    """Return the role assignments of a user that count now, with their roles, in the order of the roles' names."""
    own = _counting_now().filter(user=user_id)
    return own.select_related("role").order_by("role__name", "pk")


def users_with(permission: str) -> QuerySet[User]:
    """Return the users who may act and hold ``permission`` in the whole deployment now, the oldest accounts first."""
    holding = Q(role__holds_all=True) | Q(role__effective_permissions__contains=[permission])
    assignments = _counting_now().filter(
        holding,
        scope=RoleAssignment.Scope.DEPLOYMENT,
        role__deleted_at__isnull=True,
        user=OuterRef("pk"),
    )
    found: QuerySet[User] = User.objects.filter(Exists(assignments), suspended_at__isnull=True)
    return found.order_by("created_at", "pk")


def _counting_now() -> QuerySet[RoleAssignment]:
    found: QuerySet[RoleAssignment] = RoleAssignment.objects.filter(
        Q(starts_at__isnull=True) | Q(starts_at__lte=Now()),
        Q(ends_at__isnull=True) | Q(ends_at__gt=Now()),
    )
    return found


def _signed_in_row(user_id: UUID, session_id: UUID) -> tuple[Any, ...] | None:
    return next(iter(fetch_prepared(_SIGNED_IN, [session_id, user_id])), None)
