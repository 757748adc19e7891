"""An event arrives at whoever asked for it, signed; what fails is tried again as documented and then parked."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.db import transaction
from standardwebhooks import Webhook

from platform_core.events import emit
from platform_core.models import WebhookDelivery, uuid7
from platform_core.testing.jobs import run_waiting_jobs
from platform_core.webhooks.dispatching import call_senders
from platform_identity.events import UserCreated, UserSuspended
from tests.core.webhooks.receivers import Receiver

WEBHOOKS = "/api/v1/system/webhooks/"
DELIVERIES = "/api/v1/system/webhook-deliveries/"
Receive = Callable[..., Receiver]

pytestmark = pytest.mark.django_db


def add(operator: Any, url: str, *event_types: str) -> dict[str, Any]:
    answer = operator.post(WEBHOOKS, {"url": url, "event_types": event_types or ["identity.*"]})
    assert answer.status_code == 201, answer.content
    found: dict[str, Any] = answer.json()
    return found


def tell(event: Any = UserCreated) -> str:
    with transaction.atomic():
        return str(emit(event(user=uuid7())))


def deliver() -> None:
    call_senders()
    run_waiting_jobs(["platform_core"])


def test_an_event_arrives_signed(operator: Any, receive: Receive) -> None:
    receiver = receive()
    endpoint = add(operator, receiver.url, "identity.user.created")
    told = tell()
    tell(UserSuspended)

    deliver()

    (arrived,) = receiver.arrived
    content = Webhook(endpoint["secret"]).verify(arrived.body, arrived.headers)
    assert content == json.loads(arrived.body)
    assert (content["type"], set(content["data"])) == ("identity.user.created", {"user"})
    assert arrived.headers["webhook-id"] == told
    delivery = WebhookDelivery.objects.get()
    assert (delivery.state, delivery.attempts, delivery.response_status) == ("delivered", 1, 200)
    assert delivery.response_body == "thanks"
