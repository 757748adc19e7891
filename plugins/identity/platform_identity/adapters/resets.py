"""The library's way to a new password, told and timed alike whether there is an account or not."""

from __future__ import annotations

from typing import Any

import allauth.headless.urls  # noqa: F401  (its modules import each other in a ring, which can be entered here only)
from allauth.account.adapter import get_adapter
from allauth.headless.account.inputs import (
    RequestPasswordResetInput,
    ResetPasswordInput,
    ResetPasswordKeyInput,
)
from allauth.headless.account.views import RequestPasswordResetView, ResetPasswordView
from allauth.headless.internal.restkit.response import ErrorResponse
from django.http import HttpRequest, HttpResponse

from platform_core.mail import rehearse_mail
from platform_identity.mails import PasswordReset


class RequestInput(RequestPasswordResetInput):  # type: ignore[misc]
    """Asks for a code; where nobody has the address, as much is done and nothing comes of it."""

    def save(self, request: HttpRequest, **kwargs: Any) -> str:
        """Send a code, or do the same work for nothing."""
        email: str = super().save(request, **kwargs)
        if not self.users:
            code = get_adapter().generate_password_reset_code()
            rehearse_mail(PasswordReset(code=code, minutes=1), to=email)
        return email


class ResetInput(ResetPasswordInput):  # type: ignore[misc]
    """A code with a new password, which is held against the account only where the code is right.

    The library says of any password whether it is too short, or too much like the name, and of none where there is no account.
    """

    def clean(self) -> dict[str, Any]:
        """Judge the password of whoever has the code."""
        cleaned: dict[str, Any] = self.cleaned_data if self.has_error("key") else super().clean()
        return cleaned


class RequestView(RequestPasswordResetView):  # type: ignore[misc]
    """Asks for a code."""

    input_class = RequestInput


class ResetView(ResetPasswordView):  # type: ignore[misc]
    """Looks whether a code is right, and sets a new password by it."""

    input_class = ResetInput

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Tell whether the code is right; without an account none is, and each attempt counts."""
        if self.process.user is not None:
            answer: HttpResponse = super().get(request, *args, **kwargs)
            return answer
        key = request.headers.get("X-Password-Reset-Key", "")
        given = ResetPasswordKeyInput({"key": key}, code="")
        given.is_valid()
        self.process.record_invalid_attempt()
        refusal: HttpResponse = ErrorResponse(request, input=given)
        return refusal
