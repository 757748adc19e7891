"""Send what is due to one endpoint, one message after the other, and keep what each attempt came to."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Now
from django.utils import timezone

from platform_core.access import acting_as, system_actor
from platform_core.webhooks.attempting import GONE, Attempt, attempt
from platform_core.webhooks.disabling import disable, has_failed_for_days
from platform_core.webhooks.dispatching import end_turn
from platform_core.webhooks.keeping import keep_attempt
from platform_core.webhooks.measuring import count_attempt
from platform_core.webhooks.timing import delay_after, rest_after

if TYPE_CHECKING:
    from platform_core.models import WebhookDelivery, WebhookEndpoint, WebhookMessage
    from platform_core.webhooks.mails import Reason

log = structlog.get_logger("platform_core.webhooks")

TURN_S: Final = 20.0
"""After so many seconds others get their turn; an attempt that has begun by then is made to its end."""


def send_due(
    endpoint_id: UUID, sender: UUID, *, is_over: Callable[[], bool] = lambda: False
) -> int:
    """Send what is due to an endpoint that ``sender`` has claimed, for a while; return how many messages arrived.

    What has arrived and was not noted because the process died is sent again: at least once, under the same id. Whoever
    was taken for dead and is not makes its attempt to the end, and no other.
    """
    ends = time.monotonic() + TURN_S
    arrived, is_slow = 0, None
    with acting_as(system_actor("webhooks")):
        while not is_over() and time.monotonic() < ends:
            due = next_due(endpoint_id, sender)
            if due is None:
                break
            made = attempt(due.endpoint, due.message)
            keep(due, made)
            count_attempt(due.delivery.plugin, made.outcome, made.duration_ms / 1000)
            arrived, is_slow = arrived + made.has_succeeded, made.is_slow
        end_turn(endpoint_id, sender, is_slow=is_slow)
    return arrived


@dataclass(frozen=True, slots=True)
class Due:
    """A delivery whose time has come, with its endpoint as it is now."""

    endpoint: WebhookEndpoint
    message: WebhookMessage
    delivery: WebhookDelivery


def next_due(endpoint_id: UUID, sender: UUID) -> Due | None:
    """Return what is to be sent next to an endpoint; None when it is disabled, gone, left alone, or others' turn."""
    from platform_core.models import (  # needs loaded models
        WebhookDelivery,
        WebhookEndpoint,
        WebhookMessage,
        WebhookTurn,
    )

    rested = Q(resting_until=None) | Q(resting_until__lte=Now())
    turn = WebhookTurn.objects.filter(endpoint_id=OuterRef("pk"), sender=sender)
    own = WebhookEndpoint.objects.filter(rested, Exists(turn), pk=endpoint_id, enabled=True)
    endpoint = own.first()
    delivery = (
        WebhookDelivery.objects.filter(
            endpoint_id=endpoint_id,
            state=WebhookDelivery.State.PENDING,
            next_attempt_at__lte=Now(),
        )
        .order_by("next_attempt_at", "pk")
        .first()
    )
    if endpoint is None or delivery is None:
        return None
    return Due(endpoint, WebhookMessage.objects.get(pk=delivery.message_id), delivery)


def keep(due: Due, made: Attempt) -> None:
    """Note what an attempt came to, and what follows for the delivery and its endpoint, in one transaction."""
    now = timezone.now()
    attempts = due.delivery.attempts + 1
    delay = None if made.status == GONE else delay_after(attempts, made.wished_s)
    values = _came_to(made, delay, now)
    with transaction.atomic():
        # The endpoint first: so does whoever deletes it.
        reason = _tell_endpoint(due.endpoint, made, attempts, now)
        if _note(due.delivery, made, attempts=attempts, attempted_at=now, **values):
            keep_attempt(due.delivery, made, number=attempts, attempted_at=now)
        if reason is not None:
            disable(due.endpoint, reason)
    log.info(
        "webhook delivered" if made.has_succeeded else "webhook failed",
        plugin=due.delivery.plugin,
        endpoint=str(due.endpoint.pk),
        delivery=due.delivery.pk,
        attempt=attempts,
        status=made.status,
        error=made.error,
        duration_ms=made.duration_ms,
        state=values["state"],
    )


def _note(delivery: WebhookDelivery, made: Attempt, **values: Any) -> bool:
    """Write it into the row, unless somebody has begun the delivery anew meanwhile; tell whether the row is there."""
    row = type(delivery).objects.filter(pk=delivery.pk)
    noted = row.filter(state=delivery.state, attempts=delivery.attempts).update(
        error=made.error,
        response_status=made.status,
        response_body=made.body,
        duration_ms=made.duration_ms,
        **values,
    )
    return bool(noted) or row.exists()


def _came_to(made: Attempt, delay_s: float | None, now: dt.datetime) -> dict[str, Any]:
    if made.has_succeeded:
        return {"state": "delivered", "next_attempt_at": None}
    if delay_s is None:
        return {"state": "failed", "next_attempt_at": None}
    return {"state": "pending", "next_attempt_at": now + dt.timedelta(seconds=delay_s)}


def _tell_endpoint(
    endpoint: WebhookEndpoint, made: Attempt, attempts: int, now: dt.datetime
) -> Reason | None:
    """Let the endpoint know how it does: trouble makes it rest; return why it is to be disabled, if it is."""
    rows = type(endpoint).objects.filter(pk=endpoint.pk)
    if made.has_succeeded:
        if endpoint.failing_since is not None:
            rows.update(failing_since=None, overloads=0, resting_until=None)
        return None
    present = rows.select_for_update().first()  # somebody may have enabled it anew meanwhile
    if present is None:
        return None
    since = present.failing_since or now
    overloads = present.overloads + 1 if made.is_overload else 0
    rest = rest_after(overloads, made.wished_s) if made.is_overload else None
    rows.update(
        failing_since=since,
        overloads=overloads,
        resting_until=None if rest is None else now + dt.timedelta(seconds=rest),
    )
    if made.status == GONE:
        return "gone"
    return "failing" if has_failed_for_days(since, attempts, now) else None
