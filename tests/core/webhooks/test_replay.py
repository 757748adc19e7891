"""What has happened before is told to an endpoint that missed it, or again to one that did not."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest
from django.utils import timezone

from platform_core.models import AuditEvent, EventRecord, WebhookDelivery, WebhookMessage
from platform_core.webhooks import replaying
from platform_core.webhooks.keeping import forget_messages
from platform_identity.events import UserCreated, UserSuspended
from tests.core.events.ground import Subscribing, ThingCounted
from tests.core.webhooks.steps import WEBHOOKS, Receive, add, deliver, let_pass, tell

LONG_AGO = "2026-01-01T00:00:00Z"

pytestmark = pytest.mark.django_db


def replay(operator: Any, endpoint: dict[str, Any], **body: Any) -> dict[str, Any]:
    answer = operator.post(f"{WEBHOOKS}{endpoint['id']}/replay/", {"since": LONG_AGO, **body})
    assert answer.status_code == 200, answer.content
    found: dict[str, Any] = answer.json()
    return found


def test_what_happened_while_it_was_disabled_is_told(operator: Any, receive: Receive) -> None:
    receiver = receive()
    endpoint = add(operator, receiver.url, "identity.user.created")
    place = f"{WEBHOOKS}{endpoint['id']}/"
    known = tell()
    deliver()
    operator.patch(place, {"enabled": False})
    missed = [tell(), tell()]
    tell(UserSuspended)
    assert operator.post(f"{place}replay/", {"since": LONG_AGO}).status_code == 409
    operator.patch(place, {"enabled": True})

    replayed = replay(operator, endpoint)
    assert replayed == {"deliveries": 2, "unreadable": 0, "more_since": None}
    deliver()

    assert receiver.ids() == [known, *missed]
    bodies = [json.loads(one.body) for one in receiver.arrived]
    assert [set(one["data"]) for one in bodies] == [{"user"}] * 3
    assert {one["type"] for one in bodies} == {"identity.user.created"}
    assert [one["timestamp"] for one in bodies] == sorted(one["timestamp"] for one in bodies)
    assert replay(operator, endpoint)["deliveries"] == 0, "all is told now"
    trail = AuditEvent.objects.get(action="replay", details__deliveries=2)
    assert (trail.target_id, trail.details["again"]) == (endpoint["id"], False)


def test_an_endpoint_that_is_new_hears_what_was_before_it_since_a_moment(
    operator: Any, receive: Receive
) -> None:
    tell()
    EventRecord.objects.update(occurred_at=timezone.now() - dt.timedelta(days=2))
    later = tell()
    assert WebhookMessage.objects.count() == 0, "nobody wanted to know"
    receiver = receive()
    endpoint = add(operator, receiver.url)
    yesterday = (timezone.now() - dt.timedelta(days=1)).isoformat()
    assert replay(operator, endpoint, since=yesterday)["deliveries"] == 1
    deliver()
    assert receiver.ids() == [later]


def test_what_was_told_is_told_again_when_that_is_asked_for(
    operator: Any, receive: Receive
) -> None:
    receiver, other = receive(), receive()
    endpoint = add(operator, receiver.url)
    add(operator, other.url)
    told = [tell(), tell()]
    deliver()
    waiting = tell()

    assert replay(operator, endpoint, again=True)["deliveries"] == 2, "one is on its way already"
    deliver()
    assert sorted(receiver.ids()) == sorted([*told, *told, waiting])
    assert sorted(other.ids()) == sorted([*told, waiting]), "nobody else is told again"


def test_a_trial_tells_nothing(operator: Any, receive: Receive) -> None:
    tell()
    endpoint = add(operator, receive().url)
    place = f"{WEBHOOKS}{endpoint['id']}/replay/?dry_run=true"
    assert operator.post(place, {"since": LONG_AGO}).json()["deliveries"] == 1
    assert WebhookDelivery.objects.count() == WebhookMessage.objects.count() == 0


def test_much_is_replayed_by_several_calls(
    operator: Any, receive: Receive, monkeypatch: Any
) -> None:
    monkeypatch.setattr(replaying, "MOST_AT_ONCE", 2)
    told = [tell() for _ in range(5)]
    receiver = receive()
    endpoint = add(operator, receiver.url)
    since, counts = LONG_AGO, []
    while since is not None:
        found = replay(operator, endpoint, since=since)
        counts.append(found["deliveries"])
        since = found["more_since"]
    deliver()
    assert counts == [2, 2, 1]
    assert receiver.ids() == told


def test_only_what_may_leave_is_replayed(
    operator: Any, receive: Receive, subscribe: Subscribing
) -> None:
    class ThingSold(ThingCounted):
        """A thing was sold."""

        name = "identity.thing.sold"
        external_fields = ("thing",)

    receiver = receive()
    subscribe.declare(ThingSold)
    tell_things(ThingSold)
    endpoint = add(operator, receiver.url, "identity.*")
    assert replay(operator, endpoint)["deliveries"] == 1
    deliver()
    (arrived,) = receiver.arrived
    content = json.loads(arrived.body)
    assert (content["type"], set(content["data"])) == ("identity.thing.sold", {"thing"})


def tell_things(sold: type[ThingCounted]) -> None:
    """Emit one event that may leave, and one that may not."""
    from django.db import transaction

    from platform_core.events import emit
    from platform_core.models import uuid7

    with transaction.atomic():
        emit(ThingCounted(thing=uuid7(), number=1))
        emit(sold(thing=uuid7(), number=2))


def test_an_event_of_an_earlier_version_is_upgraded_or_said_to_be_unreadable(
    operator: Any, receive: Receive, monkeypatch: Any
) -> None:
    tell()
    user = EventRecord.objects.get().payload["user"]
    EventRecord.objects.update(version=0, payload={"person": user})
    receiver = receive()
    endpoint = add(operator, receiver.url)
    assert replay(operator, endpoint) == {"deliveries": 0, "unreadable": 1, "more_since": None}

    upgrade = classmethod(lambda _cls, payload, _version: {"user": payload["person"]})
    monkeypatch.setattr(UserCreated, "upgrade", upgrade)
    assert replay(operator, endpoint)["deliveries"] == 1
    deliver()
    (arrived,) = receiver.arrived
    assert json.loads(arrived.body)["data"] == {"user": user}


def test_a_message_that_is_replayed_is_kept_until_it_is_delivered(
    operator: Any, receive: Receive
) -> None:
    add(operator, receive().url)
    told = tell()
    deliver()
    let_pass(dt.timedelta(days=29))
    WebhookMessage.objects.update(created_at=timezone.now() - dt.timedelta(days=29))
    receiver = receive()
    late = add(operator, receiver.url)
    assert replay(operator, late)["deliveries"] == 1
    forget_messages(timezone.now() + dt.timedelta(days=2))
    deliver()
    assert receiver.ids() == [told]


def test_what_was_told_can_be_looked_up(operator: Any, receive: Receive) -> None:
    add(operator, receive().url)
    told = tell()
    tell(UserSuspended)
    place = "/api/v1/system/webhook-messages/"
    shown = operator.get(f"{place}{told}/").json()
    assert (shown["event_type"], set(shown["data"])) == ("identity.user.created", {"user"})
    found = operator.get(f"{place}?event_type=identity.user.created").json()["data"]
    assert found == [shown]
    assert len(operator.get(place).json()["data"]) == 2
