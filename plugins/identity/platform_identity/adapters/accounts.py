"""Sign-in, sign-out, sign-up and passwords, as the library asks for them."""

from __future__ import annotations

from typing import Any, cast

from allauth.account import app_settings
from allauth.account.adapter import DefaultAccountAdapter
from django.core.exceptions import ValidationError
from django.http import HttpRequest

from platform_core.access import acting_as
from platform_core.audit import Event, audited
from platform_core.conf import settings_of
from platform_core.mail import Mail, send_mail
from platform_core.observability import pseudonym, security_event, security_refusal
from platform_core.resource import client_address
from platform_identity.authentication import SESSION_ID, actor_of_user
from platform_identity.mails import EmailVerification, PasswordReset
from platform_identity.models import LoginSession, User, normalise_email
from platform_identity.selectors import user_by_email
from platform_identity.services import sessions, users
from platform_identity.settings import IdentitySettings


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    """Gives every sign-in a login session, and sends writes through the services."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Tell whether people may create their own account; closed unless the operator opens it."""
        return settings_of(IdentitySettings).signup_open

    def get_client_ip(self, request: HttpRequest) -> str | None:
        """Return the address that the whole platform believes to be the client's."""
        return client_address(request) or None

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        """Count the attempt; ValidationError when there were too many."""
        try:
            super().pre_authenticate(request, **credentials)
        except ValidationError:
            self._record_failure("identity.sign_in_limited", request, credentials)
            raise

    def authentication_failed(self, request: HttpRequest, **credentials: Any) -> None:
        """Record who could not sign in: the user when there is one, else what stands for the address."""
        self._record_failure("identity.sign_in_failed", request, credentials)

    def _record_failure(
        self, event: str, request: HttpRequest, credentials: dict[str, Any]
    ) -> None:
        email = normalise_email(str(credentials.get("email", "")))
        user = user_by_email(email)
        who = {"address": pseudonym(email)} if user is None else {"user": user.pk}
        security_refusal(event, ip=self.get_client_ip(request), **who)

    def login(self, request: HttpRequest, user: User) -> None:
        """Sign ``user`` in and record on which device."""
        signed_in = Event(action="identity.signed_in", plugin="identity")
        with acting_as(actor_of_user(user)), audited(signed_in):
            super().login(request, user)
            started = sessions.start_session(
                user=user,
                kind=_client(request),
                user_agent=request.headers.get("User-Agent", ""),
                ip=self.get_client_ip(request),
                session_key=request.session.session_key or "",
            )
            security_event(
                "identity.signed_in",
                user=user.pk,
                session=started.pk,
                client=started.kind,
                ip=self.get_client_ip(request),
            )
        request.session[SESSION_ID] = str(started.pk)

    def logout(self, request: HttpRequest) -> None:
        """Sign the request's user out: cookie, access and refresh tokens of this device end."""
        found = request.session.get(SESSION_ID)
        if found is not None:
            with acting_as(actor_of_user(cast("User", request.user))):
                sessions.revoke_sessions(LoginSession.objects.filter(pk=found), reason="signed_out")
        super().logout(request)

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Send one of our own mails in the place of the library's, in the language that its reader chose.

        Without a choice it is that of the request. It goes to the address of the account and not to the one that somebody
        wrote, which may only look like it: a Kelvin sign is a k, and another mailbox. Raises LookupError for a mail that
        nothing here asks for.
        """
        user = context.get("user") or user_by_email(normalise_email(email))
        mail = _mail_for(template_prefix.rpartition("/")[2], context)
        send_mail(mail, to=user.email if user else email, language=user.language if user else "")

    def set_password(self, user: User, password: str) -> None:
        """Set a password that was validated already, which ends every session of the user."""
        changed = Event(action="identity.password_changed", plugin="identity")
        with acting_as(actor_of_user(user)), audited(changed):
            users.set_password(user=user, password=password)


def _mail_for(template: str, context: dict[str, Any]) -> Mail:
    match template:
        case "password_reset_code":
            minutes = app_settings.PASSWORD_RESET_BY_CODE_TIMEOUT // 60
            return PasswordReset(code=context["code"], minutes=minutes)
        case "email_confirmation" | "email_confirmation_signup" if "code" in context:
            return EmailVerification(code=context["code"])
    raise LookupError(f"Identity has no mail for the template {template}: add it to mails.py.")


def _client(request: HttpRequest) -> str:
    client: str = request.allauth.headless.client  # type: ignore[attr-defined]
    return LoginSession.Kind(str(getattr(client, "value", client)))
