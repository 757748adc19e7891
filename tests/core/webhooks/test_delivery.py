"""An event arrives at whoever asked for it, signed, and nothing arrives that should not."""

from __future__ import annotations

import datetime as dt
import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest
from django.db import transaction
from django.utils import timezone
from pydantic import BaseModel
from standardwebhooks import Webhook, WebhookVerificationError

from platform_core.events import Event, emit
from platform_core.events.declaring import faults_of
from platform_core.models import (
    WebhookDelivery,
    WebhookMessage,
    WebhookTurn,
    uuid7,
)
from platform_core.observability.metrics import made_once
from platform_core.registry.item_facts import facts_of
from platform_core.webhooks import delivering
from platform_core.webhooks.dispatching import claim, end_turn, give_sign, lapse_s
from platform_core.webhooks.keeping import forget_messages
from platform_identity.events import UserSuspended
from tests.core.events.ground import Subscribing, ThingCounted
from tests.core.outbound.allowing import allow
from tests.core.webhooks.receivers import always
from tests.core.webhooks.steps import (
    DELIVERIES,
    WEBHOOKS,
    Receive,
    add,
    begin_turn,
    deliver,
    let_pass,
    tell,
)

pytestmark = pytest.mark.django_db

ALL_DAY = dt.timedelta(hours=27)
"""Longer than the longest wait."""


def only() -> WebhookDelivery:
    return WebhookDelivery.objects.get()


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
    assert dt.datetime.fromisoformat(content["timestamp"]).tzinfo is not None
    assert arrived.headers["webhook-id"] == told
    assert arrived.headers["content-type"] == "application/json"
    assert (only().state, only().attempts, only().response_status) == ("delivered", 1, 200)
    assert only().response_body == "thanks"
    with pytest.raises(WebhookVerificationError):
        Webhook(endpoint["secret"]).verify(arrived.body + b" ", arrived.headers)


def test_only_what_may_leave_is_told(
    operator: Any, receive: Receive, subscribe: Subscribing
) -> None:
    class ThingSold(ThingCounted):
        """A thing was sold."""

        name = "identity.thing.sold"
        external_fields = ("thing",)

    receiver = receive()
    add(operator, receiver.url, "identity.*")
    subscribe.declare(ThingSold)
    with transaction.atomic():
        emit(ThingCounted(thing=uuid7(), number=1))
        emit(ThingSold(thing=uuid7(), number=2))
    deliver()

    (arrived,) = receiver.arrived
    content = json.loads(arrived.body)
    assert (content["type"], set(content["data"])) == ("identity.thing.sold", {"thing"})


def test_events_stay_inside_unless_they_say_what_leaves() -> None:
    assert Event.external_fields == ()
    assert "external_fields" not in facts_of(ThingCounted)
    assert facts_of(UserSuspended)["external_fields"] == ["user"]

    class UserMourned(UserSuspended):
        """A user is missed."""

        name = "identity.user.mourned"

    assert UserMourned.external_fields == (), "what its base lets out it does not"


def test_only_a_field_of_the_event_can_leave() -> None:
    class ThingLost(ThingCounted):
        """A thing was lost."""

        external_fields = ("thing", "finder")

    assert list(faults_of(ThingLost)) == [
        "lets a field finder leave the deployment that its payload does not have"
    ]


def test_what_sounds_personal_cannot_leave() -> None:
    class Finder(BaseModel):
        id: UUID
        first_name: str

    class ThingFound(ThingCounted):
        """A thing was found."""

        external_fields = ("thing", "email", "finders")

        email: str
        finders: list[Finder]

    assert list(faults_of(ThingFound)) == [
        "lets a field email leave the deployment, which sounds personal",
        "lets a field first_name leave the deployment, which sounds personal",
    ]


def test_what_is_rolled_back_is_not_told(operator: Any, receive: Receive) -> None:
    receiver = receive()
    add(operator, receiver.url)
    with transaction.atomic():
        tell()
        transaction.set_rollback(True)
    deliver()

    assert (receiver.arrived, WebhookMessage.objects.count()) == ([], 0)


def test_without_an_endpoint_that_wants_it_nothing_is_written(
    operator: Any, receive: Receive
) -> None:
    add(operator, receive().url, "identity.user.deleted")
    disabled = add(operator, receive().url)
    operator.patch(f"{WEBHOOKS}{disabled['id']}/", {"enabled": False})
    tell()

    assert WebhookMessage.objects.count() == WebhookDelivery.objects.count() == 0


def test_of_a_huge_answer_the_beginning_is_kept(operator: Any, receive: Receive) -> None:
    receiver = receive(always(200, body=b"\x00\xffx" * 1000, repeat=3000))
    add(operator, receiver.url)
    tell()
    deliver()

    assert (only().state, len(only().response_body)) == ("delivered", 666)


def test_a_redirect_is_a_failure_and_leads_nowhere(operator: Any, receive: Receive) -> None:
    inner = receive()
    receiver = receive(always(307, headers={"Location": inner.url}))
    add(operator, receiver.url)
    tell()
    deliver()

    assert (only().state, only().response_status, inner.arrived) == ("pending", 307, [])


def test_nobody_there_and_no_longer_allowed(operator: Any, receive: Receive, settings: Any) -> None:
    receiver = receive()
    add(operator, receiver.url)
    receiver.close()
    tell()
    deliver()
    assert only().error == "unreachable"

    allow(settings)
    let_pass(ALL_DAY)
    deliver()
    assert only().error == "address_refused"


def test_a_ping_tries_an_endpoint_out(operator: Any, receive: Receive) -> None:
    receiver = receive()
    endpoint = add(operator, receiver.url, "identity.user.deleted")
    pinged = operator.post(f"{WEBHOOKS}{endpoint['id']}/ping/").json()
    deliver()

    (arrived,) = receiver.arrived
    content = Webhook(endpoint["secret"]).verify(arrived.body, arrived.headers)
    assert content["type"] == "system.webhook.pinged"
    assert content["data"] == {"endpoint": endpoint["id"]}
    shown = operator.get(f"{DELIVERIES}{pinged['delivery']}/").json()
    assert (shown["message_id"], shown["state"]) == (pinged["message"], "delivered")


def test_a_metric_is_made_once_by_many_threads() -> None:
    made: list[int] = []

    def make() -> int:
        time.sleep(0.05)
        made.append(1)
        return len(made)

    get = made_once(make)
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(lambda _: get(), range(8))) == {1}


def test_a_turn_ends_though_more_is_due(operator: Any, receive: Receive, monkeypatch: Any) -> None:
    monkeypatch.setattr(delivering, "TURN_S", 0.2)
    receiver = receive(always(200, pause_s=0.15))
    add(operator, receiver.url)
    for _ in range(5):
        tell()
    deliver()
    assert 1 <= len(receiver.arrived) < 5
    for _ in range(5):
        deliver()
    assert len(receiver.arrived) == 5


def test_one_at_a_time_sends_to_an_endpoint(operator: Any, receive: Receive) -> None:
    endpoint = UUID(add(operator, receive().url)["id"])
    tell()
    one, other = uuid7(), uuid7()
    assert (claim(one, senders=4), claim(other, senders=4)) == ([endpoint], [])
    give_sign(one, [endpoint])
    WebhookTurn.objects.update(seen_at=timezone.now() - dt.timedelta(seconds=lapse_s() + 5))
    give_sign(one, [endpoint])
    assert claim(other, senders=4) == [], "it goes on, and says so"
    WebhookTurn.objects.update(seen_at=timezone.now() - dt.timedelta(seconds=lapse_s() + 5))
    assert claim(one, senders=4, running=[endpoint]) == [], "a thread of its own is at it"
    assert claim(other, senders=4) == [endpoint], "whoever gives no sign has lost its turn"


def test_whoever_was_taken_for_dead_sends_no_more(operator: Any, receive: Receive) -> None:
    endpoint = UUID(add(operator, receive().url)["id"])
    tell()
    turn = begin_turn(str(endpoint))
    assert delivering.next_due(endpoint, turn) is not None
    WebhookTurn.objects.update(seen_at=timezone.now() - dt.timedelta(seconds=lapse_s() + 5))

    other = begin_turn(str(endpoint))

    assert delivering.next_due(endpoint, turn) is None
    end_turn(endpoint, turn, is_slow=True)
    left = WebhookTurn.objects.get()
    assert (left.sender, left.is_slow) == (other, False), "the other's turn goes on"


def test_a_process_that_ends_finishes_the_attempt_and_no_more(
    operator: Any, receive: Receive
) -> None:
    receiver = receive()
    endpoint = UUID(add(operator, receiver.url)["id"])
    tell()
    tell()
    sender = begin_turn(str(endpoint))
    assert delivering.send_due(endpoint, sender, is_over=lambda: len(receiver.arrived) == 1) == 1
    assert WebhookTurn.objects.get().sender is None
    deliver()
    assert len(receiver.arrived) == 2


def test_a_deleted_endpoint_is_forgotten_with_its_deliveries(
    operator: Any, receive: Receive
) -> None:
    receiver = receive()
    endpoint = add(operator, receiver.url)
    tell()
    assert operator.delete(f"{WEBHOOKS}{endpoint['id']}/").status_code == 204
    deliver()
    assert (receiver.arrived, WebhookDelivery.objects.count()) == ([], 0)


def test_messages_are_forgotten_after_30_days(operator: Any, receive: Receive) -> None:
    add(operator, receive().url)
    old = tell()
    for rows in (WebhookMessage.objects.all(), WebhookDelivery.objects.all()):
        rows.update(created_at=timezone.now() - dt.timedelta(days=30, hours=1))
    kept = tell()

    assert forget_messages() == 1
    assert list(WebhookMessage.objects.values_list("pk", flat=True)) != [old]
    assert [str(one.message_id) for one in WebhookDelivery.objects.all()] == [kept]
