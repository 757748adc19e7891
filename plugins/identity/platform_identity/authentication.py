"""How the API knows who asks: a bearer token, or a session cookie with a CSRF token."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings
from django.utils.translation import gettext_lazy as _
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework import authentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from platform_core.access import Actor, Grants, installed_grant_source
from platform_identity.errors import TokenRefused
from platform_identity.grants import RoleGrants
from platform_identity.models import User
from platform_identity.selectors import signed_in
from platform_identity.services.tokens import verify_access_token

SESSION_ID = "identity_session"
"""The key under which a web session holds the id of its login session."""

REALM = 'Bearer realm="api"'


@dataclass(frozen=True, slots=True)
class SignIn:
    """What authentication found: who acts, and through which login session."""

    actor: Actor
    session_id: UUID


class BearerAuthentication(authentication.BaseAuthentication):
    """Accepts ``Authorization: Bearer <access token>``; a token that does not count is 401, never anonymous."""

    def authenticate(self, request: Request) -> tuple[User, SignIn] | None:
        """Return the user and sign-in of the request's token, or None when it has none."""
        scheme, _space, token = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        try:
            claims = verify_access_token(token.strip())
        except TokenRefused as error:
            raise _not_signed_in() from error
        found = signed_in(user_id=claims.user_id, session_id=claims.session_id)
        if found is None:
            raise _not_signed_in()
        user, grants = found
        return user, SignIn(actor_of_user(user, grants), claims.session_id)

    def authenticate_header(self, request: Request) -> str:
        """Return what ``WWW-Authenticate`` names."""
        return REALM


class SessionAuthentication(authentication.SessionAuthentication):
    """Accepts the session cookie of a browser sign-in; unsafe methods need the CSRF token too."""

    def authenticate(self, request: Request) -> tuple[User, SignIn] | None:
        """Return the user and sign-in of the cookie, or None when it has none that counts."""
        plain: Any = request._request
        session = getattr(plain, "session", None)
        found = session.get(SESSION_ID) if session is not None else None
        user: Any = plain.user if found is not None else None
        if user is None or not user.is_authenticated:
            return None
        session_id = UUID(found)
        still = signed_in(user_id=user.pk, session_id=session_id)
        if still is None:
            return None
        self.enforce_csrf(request)
        return user, SignIn(actor_of_user(user, still[1]), session_id)

    def authenticate_header(self, request: Request) -> str:
        """Return what ``WWW-Authenticate`` names: browsers would ask for a password at ``Basic``."""
        return REALM


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """Describes bearer tokens in the OpenAPI document."""

    target_class = BearerAuthentication
    name = "bearer"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        """Return the security scheme object."""
        return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}


class SessionScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """Describes the session cookie in the OpenAPI document."""

    target_class = SessionAuthentication
    name = "session"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        """Return the security scheme object."""
        return {"type": "apiKey", "in": "cookie", "name": settings.SESSION_COOKIE_NAME}


def actor_of_user(user: User, grants: Grants | None = None) -> Actor:
    """Return a new actor for ``user``; without ``grants``, or with another source of them, they are read when needed."""
    actor = Actor(user.pk, "user", user.email)
    if grants is not None and isinstance(installed_grant_source(), RoleGrants):
        actor.keep_grants(grants)
    return actor


def _not_signed_in() -> AuthenticationFailed:
    return AuthenticationFailed(
        _("The token is not valid (any more); refresh it or sign in."), code="invalid_token"
    )
