"""Login sessions and the refresh tokens that keep them alive."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from platform_core.models import LIVE, BaseModel


class LoginSession(BaseModel):
    """One sign-in of one user on one device; also the family of its refresh tokens."""

    class Kind(models.TextChoices):
        """What the session is carried by."""

        APP = "app", _("tokens")
        BROWSER = "browser", _("browser cookie")

    user = models.ForeignKey(
        "identity.User",
        verbose_name=_("user"),
        on_delete=models.PROTECT,
        related_name="login_sessions",
    )
    kind = models.CharField(_("kind"), max_length=10, choices=Kind.choices)
    last_used_at = models.DateTimeField(_("last used at"))
    expires_at = models.DateTimeField(_("expires at"))
    revoked_at = models.DateTimeField(_("revoked at"), null=True, blank=True)
    revoked_reason = models.CharField(_("reason"), max_length=30, blank=True)
    user_agent = models.CharField(_("device"), max_length=200, blank=True)
    ip = models.GenericIPAddressField(_("address"), null=True, blank=True)
    session_key = models.CharField(max_length=40, blank=True, editable=False)
    """The key of the web session that the sign-in ran in; a credential, never shown."""

    history_excluded = ("user_agent", "ip", "session_key")
    quiet_fields = ("last_used_at",)
    personal_fields = ("user", "last_used_at", "user_agent", "ip")

    class Meta(BaseModel.Meta):
        verbose_name = _("login session")
        verbose_name_plural = _("login sessions")
        indexes = (
            models.Index(fields=["expires_at"], name="identity_session_expires"),
            models.Index(
                fields=["created_at", "id"], condition=LIVE, name="identity_session_order"
            ),
        )

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"


class RefreshToken(models.Model):
    """A refresh token by its SHA-256 digest; the token itself is never stored."""

    digest = models.BinaryField(primary_key=True, max_length=32)
    session = models.ForeignKey(
        LoginSession, on_delete=models.CASCADE, related_name="refresh_tokens"
    )
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    consumed_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("refresh token")
        verbose_name_plural = _("refresh tokens")

    def __str__(self) -> str:
        return f"refresh token of {self.session_id}"
