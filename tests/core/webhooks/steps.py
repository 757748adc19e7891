"""What tests of webhooks do again and again: add an endpoint, tell an event, deliver, let time pass."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

from django.db import transaction
from django.db.models import F

from platform_core.events import emit
from platform_core.models import WebhookDelivery, WebhookEndpoint, uuid7
from platform_core.webhooks.delivering import send_due
from platform_core.webhooks.dispatching import claim
from platform_identity.events import UserCreated
from tests.core.webhooks.receivers import Receiver

WEBHOOKS = "/api/v1/system/webhooks/"
DELIVERIES = "/api/v1/system/webhook-deliveries/"
Receive = Callable[..., Receiver]


def add(operator: Any, url: str, *event_types: str) -> dict[str, Any]:
    """Add an endpoint and return the answer."""
    answer = operator.post(WEBHOOKS, {"url": url, "event_types": event_types or ["identity.*"]})
    assert answer.status_code == 201, answer.content
    found: dict[str, Any] = answer.json()
    return found


def tell(event: Any = UserCreated) -> str:
    """Emit an event and return its id."""
    with transaction.atomic():
        return str(emit(event(user=uuid7())))


def deliver() -> None:
    """Do what workers do, once: claim what is due, and send it."""
    sender = uuid4()
    for endpoint in claim(sender, senders=40):
        send_due(endpoint, sender)


def begin_turn(endpoint: str) -> UUID:
    """Claim an endpoint, to which something is due, and return the name under which it is claimed."""
    sender = uuid4()
    assert claim(sender, senders=40) == [UUID(endpoint)]
    return sender


def let_pass(time: dt.timedelta) -> None:
    """Let everything that is noted have happened, or be due, so much earlier."""
    WebhookDelivery.objects.update(
        created_at=F("created_at") - time, next_attempt_at=F("next_attempt_at") - time
    )
    WebhookEndpoint.objects.update(
        failing_since=F("failing_since") - time, resting_until=F("resting_until") - time
    )
