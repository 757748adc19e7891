"""The token strategy of the sign-in library, answered by our own tokens and login sessions."""

from __future__ import annotations

from importlib import import_module
from typing import Any
from uuid import UUID

from allauth.core import context
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.headless.internal.restkit.response import ErrorResponse
from allauth.headless.tokens.strategies.base import AbstractTokenStrategy
from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest

from platform_identity.authentication import SESSION_ID
from platform_identity.errors import TokenRefused
from platform_identity.models import LoginSession
from platform_identity.selectors import signed_in_user, web_session_key
from platform_identity.services import tokens


class TokenStrategy(AbstractTokenStrategy):  # type: ignore[misc]
    """Hands out access and refresh tokens at sign-in, and finds the sign-in of a token again."""

    def get_session_token(self, request: HttpRequest) -> str | None:
        """Return the session token of the request: its own header, else through the bearer token."""
        token: str | None = super().get_session_token(request)
        if token:
            return token
        scheme, _space, bearer = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        try:
            claims = tokens.verify_access_token(bearer.strip())
        except TokenRefused:
            return None
        return web_session_key(user_id=claims.user_id, session_id=claims.session_id)

    def create_session_token(self, request: HttpRequest) -> str:
        """Return the key of the request's web session, which carries a sign-in of several steps."""
        if not request.session.session_key:
            request.session.save()
        return str(request.session.session_key)

    def create_access_token_payload(self, request: HttpRequest) -> dict[str, Any]:
        """Return the tokens of the sign-in that the request has just completed."""
        session = LoginSession.objects.get(pk=request.session[SESSION_ID])
        pair = tokens.issue_tokens(session=session)
        return {
            "access_token": pair.access_token,
            "refresh_token": pair.refresh_token,
            "expires_in": pair.expires_in,
            "token_type": "Bearer",  # nosec B105
        }

    def lookup_session(self, session_token: str) -> SessionBase | None:
        """Return the web session, unless its login session is over or its user may not act."""
        store = import_module(settings.SESSION_ENGINE).SessionStore
        session: SessionBase = store(session_token)
        user_id = session.get(SESSION_KEY)
        if not session.session_key:
            return None
        if user_id is not None:
            found = session.get(SESSION_ID)
            if found is None:
                return None
            if signed_in_user(user_id=UUID(user_id), session_id=UUID(found)) is None:
                return None
        return session

    def refresh_token(self, refresh_token: str) -> tuple[str, str]:
        """Return the next access and refresh token; a token that does not count is answered 401."""
        try:
            pair = tokens.refresh(token=refresh_token)
        except TokenRefused as error:
            answer = ErrorResponse(context.request, status=401)
            raise ImmediateHttpResponse(answer) from error
        return pair.access_token, pair.refresh_token
