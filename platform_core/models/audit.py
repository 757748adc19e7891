"""The core's own tables of the audit trail: what was done, the personal part of it, and the seals of both.

Nothing of Django's manages these tables: triggers refuse every UPDATE, DELETE and TRUNCATE of them, whoever asks, and
their migration makes tables and triggers together.
"""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class AuditEvent(models.Model):
    """One action of somebody: done, refused or failed. It never changes, and nobody removes it.

    Actor and target are names and ids without foreign keys, so that an event outlives what it is about.
    ``payload_digest`` commits to what the ``AuditPayload`` of the same id held, whether that is still there or not.
    """

    class Outcome(models.TextChoices):
        """How an action ended."""

        DONE = "done", _("done")
        REFUSED = "refused", _("refused")
        FAILED = "failed", _("failed")

    id = models.BigAutoField(_("id"), primary_key=True)
    at = models.DateTimeField(_("at"))
    actor_id = models.UUIDField(_("actor"), null=True)
    actor_kind = models.CharField(_("kind of actor"), max_length=20)
    actor_label = models.CharField(_("name of actor"), max_length=200)
    plugin = models.CharField(_("plugin"), max_length=100)
    action = models.CharField(_("action"), max_length=100)
    target_type = models.CharField(_("kind of target"), max_length=200)
    target_id = models.CharField(_("target"), max_length=200)
    outcome = models.CharField(_("outcome"), max_length=10, choices=Outcome.choices)
    code = models.CharField(_("code"), max_length=100)
    request_id = models.CharField(_("request id"), max_length=200)
    reason = models.TextField(_("reason"))
    details = models.JSONField(_("details"), default=dict)
    payload_digest = models.BinaryField(null=True, max_length=32)

    class Meta:
        managed = False
        verbose_name = _("audit event")
        verbose_name_plural = _("audit events")

    def __str__(self) -> str:
        return f"{self.id} {self.action} {self.outcome}"


class AuditPayload(models.Model):
    """The personal part of an event, such as the address of whoever acted; erasing takes content and salt.

    The only change that the database lets through is that both become NULL.
    """

    event_id = models.BigIntegerField(_("event"), primary_key=True)
    salt = models.BinaryField(null=True, max_length=16)
    content = models.JSONField(_("content"), null=True)

    personal_fields = ("content",)

    class Meta:
        managed = False
        verbose_name = _("personal part of an audit event")
        verbose_name_plural = _("personal parts of audit events")

    def __str__(self) -> str:
        return f"of event {self.event_id}"


class AuditSeal(models.Model):
    """The place of one event in the chain: ``chain`` is a SHA-256 over the seal before and all of this one."""

    seq = models.BigIntegerField(primary_key=True)
    event_id = models.BigIntegerField(unique=True)
    event_digest = models.BinaryField(max_length=32)
    sealed_at = models.DateTimeField()
    chain = models.BinaryField(max_length=32)

    class Meta:
        managed = False
        verbose_name = _("seal of an audit event")
        verbose_name_plural = _("seals of audit events")

    def __str__(self) -> str:
        return f"{self.seq}: event {self.event_id}"
