"""Send what is due to one endpoint, one message after the other, and keep what each attempt came to."""

from __future__ import annotations

import datetime as dt
import time
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone

from platform_core.webhooks.attempting import GONE, Attempt, attempt
from platform_core.webhooks.disabling import disable, has_failed_for_days
from platform_core.webhooks.measuring import count_attempt
from platform_core.webhooks.timing import delay_after, rest_after

if TYPE_CHECKING:
    from platform_core.models import WebhookDelivery

log = structlog.get_logger("platform_core.webhooks")

TURN_S: Final = 20.0
"""After so many seconds others get their turn; an attempt that has begun by then is made to its end."""


def send_due(endpoint_id: UUID) -> int:
    """Send what is due to an endpoint for a while, and return how many messages arrived.

    What has arrived and was not noted because the process died is sent again: at least once, under the same id.
    """
    ends = time.monotonic() + TURN_S
    arrived = 0
    while time.monotonic() < ends:
        delivery = _next_due(endpoint_id)
        if delivery is None:
            break
        made = attempt(delivery)
        keep(delivery, made)
        count_attempt(delivery.plugin, made.outcome, made.duration_ms / 1000)
        arrived += made.has_succeeded
    return arrived


def _next_due(endpoint_id: UUID) -> WebhookDelivery | None:
    """Return the next delivery with its endpoint as it is now; None when it is disabled, gone, or left alone."""
    from platform_core.models import WebhookDelivery  # needs loaded models

    return (
        WebhookDelivery.objects.filter(
            Q(endpoint__resting_until=None) | Q(endpoint__resting_until__lte=Now()),
            endpoint=endpoint_id,
            endpoint__enabled=True,
            state=WebhookDelivery.State.PENDING,
            next_attempt_at__lte=Now(),
        )
        .select_related("endpoint", "message")
        .order_by("next_attempt_at", "pk")
        .first()
    )


def keep(delivery: WebhookDelivery, made: Attempt) -> None:
    """Note what an attempt came to, and what follows for the delivery and its endpoint, in one transaction."""
    from platform_core.models import WebhookDelivery  # needs loaded models

    now = timezone.now()
    attempts = delivery.attempts + 1
    delay = None if made.status == GONE else delay_after(attempts, made.wished_s)
    values = _came_to(made, delay, now)
    with transaction.atomic():
        known = WebhookDelivery.objects.filter(
            pk=delivery.pk, state=WebhookDelivery.State.PENDING, attempts=delivery.attempts
        )
        known.update(
            attempts=attempts,
            attempted_at=now,
            error=made.error,
            response_status=made.status,
            response_body=made.body,
            duration_ms=made.duration_ms,
            **values,
        )
        _tell_endpoint(delivery, made, attempts, now)
    log.info(
        "webhook delivered" if made.has_succeeded else "webhook failed",
        plugin=delivery.plugin,
        endpoint=str(delivery.endpoint_id),
        delivery=delivery.pk,
        attempt=attempts,
        status=made.status,
        error=made.error,
        duration_ms=made.duration_ms,
        state=values["state"],
    )


def _came_to(made: Attempt, delay_s: float | None, now: dt.datetime) -> dict[str, Any]:
    if made.has_succeeded:
        return {"state": "delivered", "next_attempt_at": None}
    if delay_s is None:
        return {"state": "failed", "next_attempt_at": None}
    return {"state": "pending", "next_attempt_at": now + dt.timedelta(seconds=delay_s)}


def _tell_endpoint(
    delivery: WebhookDelivery, made: Attempt, attempts: int, now: dt.datetime
) -> None:
    """Let the endpoint know how it does: trouble makes it rest, days of failure and a 410 disable it."""
    from platform_core.models import WebhookEndpoint  # needs loaded models

    endpoint = delivery.endpoint
    rows = WebhookEndpoint.objects.filter(pk=endpoint.pk)
    if made.has_succeeded:
        if endpoint.failing_since is not None:
            rows.update(failing_since=None, overloads=0, resting_until=None)
        return
    since = endpoint.failing_since or now
    overloads = endpoint.overloads + 1 if made.is_overload else 0
    rest = rest_after(overloads, made.wished_s) if made.is_overload else None
    rows.update(
        failing_since=since,
        overloads=overloads,
        resting_until=None if rest is None else now + dt.timedelta(seconds=rest),
    )
    if made.status == GONE:
        disable(endpoint, "gone")
    elif has_failed_for_days(since, attempts, now):
        disable(endpoint, "failing")
