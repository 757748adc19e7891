"""The user: a person who signs in with an e-mail address."""

from __future__ import annotations

import unicodedata
from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import models
from django.utils.translation import gettext_lazy as _

from platform_core.models import BaseModel, UniqueAmongLive


def normalise_email(email: str) -> str:
    """Return the one spelling under which an address is kept: NFKC, without outer spaces, lower case."""
    return unicodedata.normalize("NFKC", email).strip().lower()


class User(AbstractBaseUser, BaseModel):
    """A person with an account; nobody is a superuser, rights come from role assignments only."""

    email = models.EmailField(_("e-mail address"), max_length=254)
    display_name = models.CharField(_("name"), max_length=200, blank=True)
    language = models.CharField(_("language"), max_length=12, blank=True)
    suspended_at = models.DateTimeField(_("suspended at"), null=True, blank=True, editable=False)
    last_login = None  # sessions tell it, without a write to this row

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    history_excluded = ("password",)
    personal_fields = ("email", "display_name", "language", "suspended_at")

    class Meta(BaseModel.Meta):
        verbose_name = _("user")
        verbose_name_plural = _("users")
        constraints = (
            UniqueAmongLive("email", name="identity_user_email_live"),
            models.CheckConstraint(
                condition=models.Q(email=models.functions.Lower("email")),
                name="identity_user_email_lower",
            ),
        )

    def __str__(self) -> str:
        return self.display_name or self.email

    def clean(self) -> None:
        """Bring the address into its one spelling."""
        self.email = normalise_email(self.email)

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save with the address in its one spelling."""
        self.email = normalise_email(self.email)
        super().save(*args, **kwargs)

    @property
    def is_active(self) -> bool:  # type: ignore[override]
        """Whether the user may sign in and act: neither suspended nor deleted."""
        return self.suspended_at is None and self.deleted_at is None
