"""Checks e-mail address and password, and loads the user of a web session."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib.auth.backends import BaseBackend
from django.http import HttpRequest

from platform_identity.models import User
from platform_identity.selectors import user_by_email


class IdentityBackend(BaseBackend):
    """Knows users who may act; grants no Django permission to anybody."""

    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **credentials: Any,
    ) -> User | None:
        """Return the user with this address and password; suspended users are answered like unknown ones.

        A password is hashed in any case, so that time does not tell which addresses have an account.
        """
        email = credentials.get("email") or username
        if not email or not password:
            return None
        user = user_by_email(email)
        if user is None:
            User().set_password(password)
            return None
        return user if user.check_password(password) and user.is_active else None

    def get_user(self, user_id: UUID) -> User | None:
        """Return the user while they may act."""
        found: User | None = User.objects.filter(pk=user_id, suspended_at__isnull=True).first()
        return found
