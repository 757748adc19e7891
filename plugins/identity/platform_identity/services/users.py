"""Accounts: creating, changing, suspending and deleting users."""

from __future__ import annotations

import secrets

from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from platform_core.access import Actor
from platform_core.errors import Invalid
from platform_core.events import emit
from platform_core.mail import send_mail
from platform_core.observability import security_event
from platform_identity.adapters.addresses import forget_addresses
from platform_identity.errors import EmailTaken, PasswordRefused
from platform_identity.events import (
    UserCreated,
    UserDeleted,
    UserPasswordChanged,
    UserReactivated,
    UserSuspended,
)
from platform_identity.mails import AddressChanged
from platform_identity.models import RefreshToken, RoleAssignment, User, normalise_email
from platform_identity.services.delegation import require_all_grants_of, require_another_owner
from platform_identity.services.sessions import revoke_sessions_of

EMAIL_CONSTRAINT = "identity_user_email_live"


def generate_password() -> str:
    """Return a random password of 120 bits that people can type: four groups of five letters and digits."""
    alphabet = "abcdefghjkmnpqrstuvwxyzABCDEFGHJKMNPQRSTUVWXYZ23456789"
    return "-".join("".join(secrets.choice(alphabet) for _ in range(5)) for _ in range(4))


@transaction.atomic
def create_user(
    *, email: str, password: str | None = None, display_name: str = "", language: str = ""
) -> User:
    """Create a user; without ``password`` nobody can sign in until a password is set by the reset flow.

    Raises Invalid for an address that is none or a language that there is not, EmailTaken, and PasswordRefused.
    """
    user = User(
        email=_checked_email(email),
        display_name=display_name,
        language=_checked_language(language),
    )
    _set_password(user, password)
    _saved(user)
    emit(UserCreated(user=user.pk))
    security_event("identity.user_created", user=user.pk)
    return user


@transaction.atomic
def update_user(
    *,
    user: User,
    changed_by: Actor,
    email: str | None = None,
    display_name: str | None = None,
    language: str | None = None,
) -> User:
    """Change what is given and return the user.

    Whoever changes another user's address could take the account over by a password reset, so they have to hold
    everything that the user holds; else NotHeld. Raises Invalid and EmailTaken too.
    """
    if email is not None and normalise_email(email) != user.email:
        if changed_by.id != user.pk:
            require_all_grants_of(user, held_by=changed_by)
        # The old address hears of it at once: no event holds addresses, and whoever took the account over has the new one.
        send_mail(AddressChanged(at=timezone.now()), to=user.email, language=user.language)
        user.email = _checked_email(email)
        forget_addresses(user)
        security_event("identity.email_changed", user=user.pk)
    if display_name is not None:
        user.display_name = display_name
    if language is not None:
        user.language = _checked_language(language)
    return _saved(user)


def _checked_language(language: str) -> str:
    known = [code for code, _name in settings.LANGUAGES]
    if language and language not in known:
        raise Invalid(
            _("Choose one of these languages: %(languages)s.") % {"languages": ", ".join(known)},
            code="unknown_language",
            pointer="/language",
        )
    return language


@transaction.atomic
def set_password(*, user: User, password: str | None) -> User:
    """Set or, with None, remove the password, and end every session of the user; PasswordRefused when weak."""
    _set_password(user, password)
    user.save(update_fields=["password"])
    emit(UserPasswordChanged(user=user.pk))
    security_event("identity.password_changed", user=user.pk)
    revoke_sessions_of(user=user, reason="password_changed")
    return user


@transaction.atomic
def suspend_user(*, user: User) -> User:
    """Shut ``user`` out from the next request on; LastOwner when nobody else holds everything."""
    require_another_owner(user)
    if user.suspended_at is None:
        user.suspended_at = timezone.now()
        user.save(update_fields=["suspended_at"])
        emit(UserSuspended(user=user.pk))
        security_event("identity.user_suspended", user=user.pk)
    revoke_sessions_of(user=user, reason="suspended")
    return user


@transaction.atomic
def reactivate_user(*, user: User) -> User:
    """Let a suspended user sign in again; sessions that were ended stay ended."""
    was_suspended = user.suspended_at is not None
    user.suspended_at = None
    user.save(update_fields=["suspended_at"])
    if was_suspended:
        emit(UserReactivated(user=user.pk))
    security_event("identity.user_reactivated", user=user.pk)
    return user


@transaction.atomic
def delete_user(*, user: User) -> None:
    """Delete an account softly, with its sessions and role assignments; LastOwner when it is the last owner."""
    require_another_owner(user)
    revoke_sessions_of(user=user, reason="deleted")
    RefreshToken.objects.filter(session__user=user).delete()
    user.login_sessions.all().delete()
    RoleAssignment.objects.filter(user=user).delete()
    forget_addresses(user)
    user.delete()
    emit(UserDeleted(user=user.pk))
    security_event("identity.user_deleted", user=user.pk)


def _checked_email(email: str) -> str:
    email = normalise_email(email)
    try:
        validate_email(email)
    except ValidationError as error:
        raise Invalid(
            _("This is not an e-mail address."), code="invalid", pointer="/email"
        ) from error
    return email


def _set_password(user: User, password: str | None) -> None:
    if password is None:
        user.set_unusable_password()
        return
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise PasswordRefused(" ".join(error.messages), pointer="/password") from error
    user.set_password(password)


def _saved(user: User) -> User:
    try:
        with transaction.atomic():
            user.save()
    except IntegrityError as error:
        if EMAIL_CONSTRAINT in str(error):
            raise EmailTaken from error
        raise
    return user
