"""What identity refuses, and why."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from platform_core.errors import Conflict, Forbidden, Invalid


class SigningKeyError(Exception):
    """The signing keys cannot be used or changed; the message holds nothing of them."""


class TokenRefused(Exception):
    """A token is not accepted; ``code`` says why, for logs and tests, and is not told to the client."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class EmailTaken(Conflict):
    """Another user signs in with this address."""

    code = "email_taken"

    def __init__(self) -> None:
        super().__init__(
            _("Another user has this e-mail address; choose another."), pointer="/email"
        )


class PasswordRefused(Invalid):
    """The password is too weak."""

    code = "password_refused"


class LastOwner(Conflict):
    """Nobody would be left who holds every permission."""

    code = "last_owner"

    def __init__(self) -> None:
        super().__init__(_("This is the last active owner; make somebody else owner first."))


class NotHeld(Forbidden):
    """An actor tried to give what they do not hold themselves."""

    code = "not_held"


class UnitCycle(Conflict):
    """A unit cannot stand below itself."""

    code = "unit_cycle"

    def __init__(self) -> None:
        super().__init__(
            _("A unit cannot be moved below itself; choose another parent."), pointer="/parent"
        )


class RoleCycle(Conflict):
    """A role cannot inherit from itself, however indirectly."""

    code = "role_cycle"

    def __init__(self) -> None:
        super().__init__(
            _("A role cannot inherit from itself; remove the circle."), pointer="/inherits"
        )


class RoleProvided(Conflict):
    """A role that a plugin ships is refreshed from the plugin and cannot be edited."""

    code = "role_provided"

    def __init__(self) -> None:
        super().__init__(
            _(
                "This role comes with a plugin and cannot be changed; make a role that inherits from it."
            )
        )
