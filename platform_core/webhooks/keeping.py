"""What is kept of messages, deliveries and attempts, and for how long."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final

from django.db.models import Exists, OuterRef
from django.utils import timezone

if TYPE_CHECKING:
    from platform_core.models import WebhookDelivery
    from platform_core.webhooks.attempting import Attempt

MESSAGES_KEPT_DAYS: Final = 30
ATTEMPTS_KEPT: Final = 20
"""So many attempts of a delivery are kept, the latest: two times as many as it has by itself."""


def keep_attempt(
    delivery: WebhookDelivery, made: Attempt, *, number: int, attempted_at: dt.datetime
) -> None:
    """Keep what an attempt came to beside those before it; the oldest goes when there are too many."""
    from platform_core.models import WebhookAttempt  # needs loaded models

    own = WebhookAttempt.objects.filter(delivery=delivery)
    WebhookAttempt.objects.create(
        delivery=delivery,
        number=number,
        attempted_at=attempted_at,
        duration_ms=made.duration_ms,
        error=made.error,
        response_status=made.status,
        response_body=made.body,
    )
    if delivery.attempted_at is not None:  # there may be others
        beyond = own.order_by("-pk").values_list("pk", flat=True)[ATTEMPTS_KEPT:]
        WebhookAttempt.objects.filter(pk__in=list(beyond)).delete()


def forget_messages(now: dt.datetime | None = None) -> int:
    """Remove messages that are too old with all that came of them, and secrets that no longer sign; return how many went."""
    from platform_core.models import (  # needs loaded models
        WebhookAttempt,
        WebhookDelivery,
        WebhookEndpoint,
        WebhookMessage,
        WebhookTurn,
    )

    now = now or timezone.now()
    WebhookEndpoint.objects.filter(previous_secret_until__lt=now).update(
        previous_secret=None, previous_secret_until=None
    )
    endpoints = WebhookEndpoint.objects.filter(pk=OuterRef("endpoint_id"))
    for model in (WebhookDelivery, WebhookTurn):  # told, or sent to, while it was being deleted
        model.objects.filter(~Exists(endpoints)).delete()
    before = now - dt.timedelta(days=MESSAGES_KEPT_DAYS)
    WebhookDelivery.objects.filter(created_at__lt=before).delete()
    deliveries = WebhookDelivery.objects.filter(pk=OuterRef("delivery_id"))
    WebhookAttempt.objects.filter(~Exists(deliveries)).delete()
    return WebhookMessage.objects.filter(created_at__lt=before).delete()[0]
