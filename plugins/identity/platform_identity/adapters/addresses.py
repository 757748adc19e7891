"""The sign-in library's own list of addresses, which must never open an account that has moved on."""

from __future__ import annotations

from allauth.account.models import EmailAddress

from platform_identity.models import User


def forget_addresses(user: User) -> None:
    """Remove what the library keeps of a user's addresses; ``User.email`` is the only one that counts."""
    EmailAddress.objects.filter(user_id=user.pk).delete()
