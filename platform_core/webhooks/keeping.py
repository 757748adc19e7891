"""How long messages and their deliveries are kept."""

from __future__ import annotations

import datetime as dt
from typing import Final

from django.db.models import Exists, OuterRef
from django.utils import timezone

MESSAGES_KEPT_DAYS: Final = 30


def forget_messages(now: dt.datetime | None = None) -> int:
    """Remove messages that are too old with their deliveries, and secrets that no longer sign; return how many went."""
    from platform_core.models import (  # needs loaded models
        WebhookDelivery,
        WebhookEndpoint,
        WebhookMessage,
    )

    now = now or timezone.now()
    WebhookEndpoint.objects.filter(previous_secret_until__lt=now).update(
        previous_secret=None, previous_secret_until=None
    )
    endpoints = WebhookEndpoint.objects.filter(pk=OuterRef("endpoint_id"))
    WebhookDelivery.objects.filter(~Exists(endpoints)).delete()  # told while it was being deleted
    before = now - dt.timedelta(days=MESSAGES_KEPT_DAYS)
    WebhookDelivery.objects.filter(created_at__lt=before).delete()
    return WebhookMessage.objects.filter(created_at__lt=before).delete()[0]
