"""The core's own table of answers that are given again when a client repeats a call with the same key."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class IdempotencyRecord(models.Model):
    """The answer to one call with an ``Idempotency-Key``, written in the transaction of what the call did."""

    digest = models.BinaryField(primary_key=True, max_length=32)
    """SHA-256 over who asked, the method, the address and the key."""
    request_digest = models.BinaryField(max_length=32)
    """SHA-256 over the body, so that a key used for something else is noticed."""
    status = models.PositiveSmallIntegerField()
    headers = models.JSONField()
    body = models.BinaryField()
    created_at = models.DateTimeField(db_index=True)

    class Meta:
        verbose_name = _("idempotency record")
        verbose_name_plural = _("idempotency records")

    def __str__(self) -> str:
        return f"{self.status} at {self.created_at:%Y-%m-%dT%H:%M:%SZ}"
