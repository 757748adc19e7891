"""What fails is tried again as documented and then waits for a person; who is in trouble rests, who is gone is left."""

from __future__ import annotations

import datetime as dt
import re
import time
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.utils import timezone

from platform_core.models import AuditEvent, WebhookDelivery, WebhookEndpoint
from platform_core.webhooks import attempting, timing
from platform_core.webhooks.delivering import keep, next_due
from platform_core.webhooks.dispatching import claim
from tests.core.webhooks.receivers import Reply, always
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


def test_a_failure_is_tried_again_as_documented_and_then_parked(
    operator: Any, receive: Receive
) -> None:
    receiver = receive(always(500, body=b"no"))
    add(operator, receiver.url)
    told = tell()
    waits: list[float] = []
    for _ in range(timing.MOST_ATTEMPTS):
        before = timezone.now()
        deliver()
        due = only().next_attempt_at
        if due is not None:
            waits.append((due - before).total_seconds())
            deliver()  # not before its time
            let_pass(due - before)

    assert len(receiver.arrived) == len(waits) + 1 == documented_attempts()
    for waited, documented in zip(waits, documented_waits(), strict=True):
        assert documented <= waited <= documented * (1 + timing.JITTER) + 5
    assert set(receiver.ids()) == {told}
    assert len({one.body for one in receiver.arrived}) == 1
    failed = only()
    assert (failed.state, failed.attempts, failed.response_status) == ("failed", 10, 500)
    assert failed.response_body == "no"
    deliver()
    assert len(receiver.arrived) == 10, "a dead letter is left alone"
    listed = operator.get(f"{DELIVERIES}?state=failed").json()["data"]
    assert [one["message_id"] for one in listed] == [told]


def documented() -> list[str]:
    page = Path(__file__).resolve().parents[3] / "docs" / "how-to" / "webhooks.md"
    return re.findall(r"^\| \d+ \| (.+) \|$", page.read_text(encoding="utf-8"), re.MULTILINE)


def documented_attempts() -> int:
    return len(documented())


def documented_waits() -> list[int]:
    units = {"seconds": 1, "minutes": 60, "hours": 3600}
    words = [one.split() for one in documented()[1:]]
    return [int(number) * units[unit] for number, unit in words]


def test_a_dead_letter_is_delivered_again_alone_and_with_all_others(
    operator: Any, receive: Receive
) -> None:
    answers = {"status": 400}
    receiver = receive(lambda _arrived: Reply(status=answers["status"]))
    endpoint = add(operator, receiver.url)
    told = [tell(), tell(), tell()]
    deliver()
    WebhookDelivery.objects.update(state="failed", next_attempt_at=None, attempts=10)
    old = WebhookDelivery.objects.get(message_id=told[0])
    WebhookDelivery.objects.filter(pk=old.pk).update(
        created_at=timezone.now() - dt.timedelta(days=2)
    )
    answers["status"] = 204
    receiver.arrived.clear()

    again = operator.post(f"{DELIVERIES}{old.pk}/redeliver/", {})
    assert (again.status_code, again.json()["state"], again.json()["attempts"]) == (200, "pending", 0)  # fmt: skip
    assert operator.post(f"{DELIVERIES}{old.pk}/redeliver/", {}).status_code == 409
    deliver()
    assert receiver.ids() == [told[0]]
    WebhookDelivery.objects.filter(pk=old.pk).update(state="failed")

    since = (timezone.now() - dt.timedelta(days=1)).isoformat()
    place = f"{WEBHOOKS}{endpoint['id']}/redeliver-failed/"
    assert operator.post(place, {"since": since}).json() == {"deliveries": 2}
    deliver()
    assert receiver.ids() == told
    trail = AuditEvent.objects.filter(action="redeliver_failed").latest("id")
    assert trail.details["deliveries"] == 2


def test_whoever_is_gone_is_told_nothing_more(operator: Any, receive: Receive) -> None:
    receiver = receive(always(410))
    endpoint = add(operator, receiver.url)
    tell()
    tell()
    deliver()
    let_pass(ALL_DAY)
    deliver()

    assert len(receiver.arrived) == 1
    shown = operator.get(f"{WEBHOOKS}{endpoint['id']}/").json()
    assert (shown["enabled"], shown["disabled_because"]) == (False, "gone")
    trail = AuditEvent.objects.get(action="disable")
    assert (trail.target_id, trail.details) == (
        endpoint["id"],
        {"because": "gone", "told": "nobody"},
    )
    assert (trail.actor_kind, trail.actor_label) == ("system", "webhooks")
    states = [one.state for one in WebhookDelivery.objects.order_by("pk")]
    assert states == ["failed", "pending"]

    receiver.reply = always(200)
    enabled = operator.patch(f"{WEBHOOKS}{endpoint['id']}/", {"enabled": True}).json()
    assert (enabled["disabled_because"], enabled["failing_since"]) == ("", None)
    deliver()
    assert len(receiver.arrived) == 2, "what waited comes then"


def test_days_of_failure_disable_an_endpoint(operator: Any, receive: Receive) -> None:
    receiver = receive(always(500))
    endpoint = add(operator, receiver.url)
    tell()
    for _ in range(3):
        deliver()
        let_pass(dt.timedelta(days=1))
    WebhookEndpoint.objects.update(failing_since=timezone.now() - dt.timedelta(days=4, hours=23))
    deliver()
    assert WebhookEndpoint.objects.get().enabled

    let_pass(dt.timedelta(days=1))
    tell()
    deliver()

    shown = operator.get(f"{WEBHOOKS}{endpoint['id']}/").json()
    assert (shown["enabled"], shown["disabled_because"]) == (False, "failing")
    assert AuditEvent.objects.get(action="disable").details["because"] == "failing"


def test_an_attempt_under_way_does_not_disable_what_was_enabled_meanwhile(operator: Any) -> None:
    endpoint = add(operator, "https://hooks.example.org/in")
    tell()
    long_ago = timezone.now() - dt.timedelta(days=9)
    WebhookEndpoint.objects.update(failing_since=long_ago, overloads=7)
    WebhookDelivery.objects.update(attempts=5)
    key = UUID(endpoint["id"])
    due = next_due(key, begin_turn(str(key)))
    assert due is not None
    assert operator.patch(f"{WEBHOOKS}{key}/", {"enabled": True}).status_code == 200
    keep(due, attempting.Attempt(status=503, duration_ms=1))

    found = WebhookEndpoint.objects.get()
    assert (found.enabled, found.overloads) == (True, 1)
    assert found.failing_since is not None
    assert found.failing_since > long_ago


def test_one_success_ends_the_days_of_failure(operator: Any, receive: Receive) -> None:
    receiver = receive(always(500))
    add(operator, receiver.url)
    tell()
    deliver()
    let_pass(dt.timedelta(days=10))
    receiver.reply = always(200)
    deliver()

    endpoint = WebhookEndpoint.objects.get()
    assert (endpoint.enabled, endpoint.failing_since) == (True, None)


def test_a_flapping_receiver_gets_everything_once_in_the_end(
    operator: Any, receive: Receive
) -> None:
    turn = iter(range(1000))
    receiver = receive(lambda _arrived: Reply(status=(503, 500, 200)[next(turn) % 3]))
    add(operator, receiver.url)
    told = {tell() for _ in range(6)}
    for _ in range(20):
        deliver()
        let_pass(ALL_DAY)

    assert set(WebhookDelivery.objects.values_list("state", flat=True)) == {"delivered"}
    assert set(receiver.ids()) == told
    assert len(receiver.arrived) == 18


def test_a_slow_receiver_is_left_and_rests(
    operator: Any, receive: Receive, monkeypatch: Any
) -> None:
    send = attempting.send
    monkeypatch.setattr(attempting, "send", lambda *a, **k: send(*a, **k, timeout_s=1.5))
    slow, quick = receive(always(200, pause_s=60)), receive()
    add(operator, slow.url)
    add(operator, quick.url)
    for _ in range(3):
        tell()
    started = time.monotonic()
    deliver()

    assert time.monotonic() - started < 30
    assert (len(slow.arrived), len(quick.arrived)) == (1, 3), "one attempt, and then it rests"
    tried = WebhookDelivery.objects.get(attempts=1, state="pending")
    assert (tried.error, tried.response_status) == ("timed_out", None)
    endpoint = WebhookEndpoint.objects.get(pk=tried.endpoint_id)
    assert (endpoint.overloads, claim(uuid4(), senders=4)) == (1, [])
    assert tried.attempted_at is not None
    assert (endpoint.resting_until - tried.attempted_at).total_seconds() == 5


def test_rests_grow_and_have_an_end() -> None:
    assert [timing.rest_after(one, None) for one in (1, 2, 3, 7, 50)] == [5, 10, 20, 300, 300]
    assert timing.rest_after(1, 60) == 60
    assert timing.rest_after(1, 10_000) == 300


@pytest.mark.parametrize(
    ("said", "wished"),
    [
        ("120", 120),
        ("Thu, 26 Nov 2026 08:02:00 GMT", 120),
        ("Thu, 26 Nov 2026 07:00:00 GMT", 0),
        ("999999999999999", 86_400),
        ("Thu, 26 Nov 2099 07:00:00 GMT", 86_400),
        ("-1", None),
        ("soon", None),
        ("\u0661", None),
        (None, None),
    ],
)
def test_a_wish_for_a_longer_wait_is_understood(said: str | None, wished: float | None) -> None:
    now = dt.datetime(2026, 11, 26, 8, 0, tzinfo=dt.UTC)
    assert timing.wished_wait(said, now) == wished


def test_a_longer_wish_is_kept_to(operator: Any, receive: Receive) -> None:
    receiver = receive(always(429, headers={"Retry-After": "3600"}))
    add(operator, receiver.url)
    tell()
    deliver()
    due = only().next_attempt_at
    assert due is not None
    assert 3590 < (due - timezone.now()).total_seconds() <= 3600
