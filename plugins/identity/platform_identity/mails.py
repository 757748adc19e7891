"""The mails that identity writes to people: codes that they asked for, and notices of what happened to their account."""

from __future__ import annotations

import datetime as dt
from typing import ClassVar

from django.utils.translation import gettext_lazy as _

from platform_core.mail import Mail

_LONG_AGO = dt.datetime(2026, 1, 31, 12, 30, tzinfo=dt.UTC)


class PasswordReset(Mail):
    """The code by which somebody who forgot their password sets a new one."""

    name: ClassVar = "identity.password_reset"
    subject: ClassVar = _("Your code for a new password")

    code: str
    minutes: int

    @classmethod
    def example(cls) -> PasswordReset:
        """Return one with an invented code."""
        return cls(code="ABCD-EFGH", minutes=15)


class EmailVerification(Mail):
    """The code by which somebody shows that an address is theirs."""

    name: ClassVar = "identity.email_verification"
    subject: ClassVar = _("Your code to confirm your e-mail address")

    code: str

    @classmethod
    def example(cls) -> EmailVerification:
        """Return one with an invented code."""
        return cls(code="ABCD-EFGH")


class PasswordChanged(Mail):
    """Tells people that their password is another one: it may not have been them."""

    name: ClassVar = "identity.password_changed"
    subject: ClassVar = _("Your password was changed")

    at: dt.datetime

    @classmethod
    def example(cls) -> PasswordChanged:
        """Return one about a day long ago."""
        return cls(at=_LONG_AGO)


class AddressChanged(Mail):
    """Tells the address that an account had that it has another one now."""

    name: ClassVar = "identity.address_changed"
    subject: ClassVar = _("The e-mail address of your account was changed")

    at: dt.datetime

    @classmethod
    def example(cls) -> AddressChanged:
        """Return one about a day long ago."""
        return cls(at=_LONG_AGO)


class AccountSuspended(Mail):
    """Tells people that they were shut out."""

    name: ClassVar = "identity.account_suspended"
    subject: ClassVar = _("Your account was suspended")

    at: dt.datetime

    @classmethod
    def example(cls) -> AccountSuspended:
        """Return one about a day long ago."""
        return cls(at=_LONG_AGO)


class AccountReactivated(Mail):
    """Tells people that they may sign in again."""

    name: ClassVar = "identity.account_reactivated"
    subject: ClassVar = _("Your account is active again")

    at: dt.datetime

    @classmethod
    def example(cls) -> AccountReactivated:
        """Return one about a day long ago."""
        return cls(at=_LONG_AGO)


class RoleGiven(Mail):
    """Tells people that they may decide about others' accounts or the deployment: it may be a mistake, or an attack."""

    name: ClassVar = "identity.role_given"
    subject: ClassVar = _("You were given the role {role}")

    role: str
    at: dt.datetime

    @classmethod
    def example(cls) -> RoleGiven:
        """Return one about a day long ago."""
        return cls(role="Administrator", at=_LONG_AGO)


class RoleTaken(Mail):
    """Tells people that they may not decide about others' accounts or the deployment any more."""

    name: ClassVar = "identity.role_taken"
    subject: ClassVar = _("You no longer have the role {role}")

    role: str
    at: dt.datetime

    @classmethod
    def example(cls) -> RoleTaken:
        """Return one about a day long ago."""
        return cls(role="Administrator", at=_LONG_AGO)


MAILS = (
    PasswordReset,
    EmailVerification,
    PasswordChanged,
    AddressChanged,
    AccountSuspended,
    AccountReactivated,
    RoleGiven,
    RoleTaken,
)
