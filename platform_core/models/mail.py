"""The core's own table of mails: what is on its way to whom; the words themselves go when it was sent."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from platform_core.models.encrypted import EncryptedTextField
from platform_core.models.identifiers import uuid7


class MailMessage(models.Model):
    """A mail from the moment it is asked for. ``payload`` holds address and content until it was sent, encrypted."""

    class State(models.TextChoices):
        """Where it stands."""

        QUEUED = "queued", _("queued")
        SENT = "sent", _("sent")
        FAILED = "failed", _("failed")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    template = models.CharField(max_length=150)
    plugin = models.CharField(max_length=100)
    language = models.CharField(max_length=12)
    recipient = models.CharField(max_length=260)
    """The address, all but its first letter and its domain left out."""
    recipient_digest = models.CharField(max_length=64)
    """What stands for the address: the same for the same address, and of no use without the secret key."""
    payload = EncryptedTextField(null=True)
    state = models.CharField(max_length=20, choices=State, default=State.QUEUED)
    attempts = models.PositiveSmallIntegerField(default=0)
    error = models.CharField(max_length=200, blank=True)
    """What the last attempt failed by, in words of the platform: those of a server may hold what the mail says."""
    error_id = models.CharField(max_length=64, blank=True)
    request_id = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    attempted_at = models.DateTimeField(null=True)
    sent_at = models.DateTimeField(null=True)

    objects = models.Manager()
    all_objects = models.Manager()
    personal_fields = ("recipient", "recipient_digest", "payload")

    class Meta:
        db_table = "platform_core_mail"
        verbose_name = _("mail")
        verbose_name_plural = _("mails")
        indexes = (
            models.Index(fields=["created_at"], name="platform_core_mail_created"),
            models.Index(
                fields=["created_at"],
                name="platform_core_mail_failed",
                condition=models.Q(state="failed"),
            ),
            models.Index(fields=["recipient_digest"], name="platform_core_mail_recipient"),
        )

    def __str__(self) -> str:
        return f"{self.template} {self.id}"
