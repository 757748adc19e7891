"""Every attempt of a delivery is kept and listed below it: bounded in number and size, and only as long as the delivery."""

from __future__ import annotations

import datetime as dt
from typing import Any
from uuid import UUID

import pytest
from django.utils import timezone

from platform_core.models import WebhookAttempt, WebhookDelivery, WebhookMessage
from platform_core.testing.actors import GrantsDouble, client_for, new_user
from platform_core.webhooks.attempting import Attempt
from platform_core.webhooks.delivering import keep, next_due
from platform_core.webhooks.keeping import ATTEMPTS_KEPT, forget_messages
from platform_core.webhooks.permissions import VIEW_ATTEMPTS, VIEW_DELIVERIES, VIEW_WEBHOOKS
from tests.core.webhooks.receivers import Reply
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

ATTEMPTS = "/api/v1/system/webhook-attempts/"
ALL_DAY = dt.timedelta(hours=27)
"""Longer than the longest wait."""

pytestmark = pytest.mark.django_db


def below(operator: Any, query: str = "") -> list[dict[str, Any]]:
    """Return what is listed below the only delivery."""
    answer = operator.get(
        f"{DELIVERIES}{WebhookDelivery.objects.get().pk}/webhook-attempts/{query}"
    )
    assert answer.status_code == 200, answer.content
    found: list[dict[str, Any]] = answer.json()["data"]
    return found


def test_every_attempt_is_listed_below_its_delivery(operator: Any, receive: Receive) -> None:
    replies = iter([Reply(500, body=b"first"), Reply(302, body=b"second"), Reply(body=b"third")])
    receiver = receive(lambda _arrived: next(replies))
    add(operator, receiver.url)
    tell()
    began = timezone.now()
    for _ in range(3):
        deliver()
        let_pass(ALL_DAY)

    listed = below(operator)
    assert [
        (one["number"], one["response_status"], one["response_body"], one["error"])
        for one in listed
    ] == [(3, 200, "third", ""), (2, 302, "second", ""), (1, 500, "first", "")]
    moments = [dt.datetime.fromisoformat(one["attempted_at"]) for one in reversed(listed)]
    assert began <= moments[0] <= moments[1] <= moments[2] <= timezone.now()
    assert all(0 <= one["duration_ms"] < 20_000 for one in listed)
    assert {one["delivery"] for one in listed} == {WebhookDelivery.objects.get().pk}
    assert [one["number"] for one in below(operator, "?response_status__gte=500")] == [1]
    assert operator.get(f"{ATTEMPTS}{listed[0]['id']}/").json() == listed[0]
    assert operator.get(f"{ATTEMPTS}?delivery={listed[0]['delivery']}").json()["data"] == listed
    assert operator.get(f"{ATTEMPTS}?delivery=1000000").json()["data"] == []


def test_an_attempt_without_an_answer_says_why(operator: Any, receive: Receive) -> None:
    receiver = receive()
    add(operator, receiver.url)
    receiver.close()
    tell()
    deliver()

    (listed,) = below(operator)
    assert (listed["error"], listed["response_status"], listed["response_body"]) == (
        "unreachable",
        None,
        "",
    )


def test_what_is_delivered_again_keeps_the_attempts_before(operator: Any, receive: Receive) -> None:
    receiver = receive(lambda _arrived: Reply(body=b"x" * 5000))
    add(operator, receiver.url)
    tell()
    deliver()
    delivery = WebhookDelivery.objects.get().pk
    assert operator.post(f"{DELIVERIES}{delivery}/redeliver/", {}).status_code == 200
    deliver()

    listed = below(operator)
    assert [one["number"] for one in listed] == [1, 1]
    assert {len(one["response_body"]) for one in listed} == {1000}


def test_of_many_attempts_the_latest_are_kept(operator: Any) -> None:
    endpoint = UUID(add(operator, "https://hooks.example.org/in")["id"])
    tell()
    turn = begin_turn(str(endpoint))
    for number in range(ATTEMPTS_KEPT + 5):
        WebhookDelivery.objects.update(
            state="pending", attempts=0, next_attempt_at=timezone.now() - ALL_DAY
        )
        due = next_due(endpoint, turn)
        assert due is not None
        keep(due, Attempt(status=200, body=str(number), duration_ms=1))

    listed = below(operator, "?limit=200")
    assert [one["response_body"] for one in listed] == [
        str(number) for number in reversed(range(5, ATTEMPTS_KEPT + 5))
    ]


def test_an_attempt_counts_though_its_delivery_began_anew_meanwhile(operator: Any) -> None:
    endpoint = UUID(add(operator, "https://hooks.example.org/in")["id"])
    tell()
    due = next_due(endpoint, begin_turn(str(endpoint)))
    assert due is not None
    WebhookDelivery.objects.update(attempts=7)
    keep(due, Attempt(status=500, duration_ms=1))
    assert WebhookDelivery.objects.get().attempts == 7
    assert [one["response_status"] for one in below(operator)] == [500]


def test_what_a_receiver_answered_goes_with_its_endpoint(operator: Any, receive: Receive) -> None:
    endpoint = add(operator, receive().url)
    tell()
    due = next_due(UUID(endpoint["id"]), begin_turn(endpoint["id"]))
    assert due is not None
    keep(due, Attempt(status=500, duration_ms=1))
    assert WebhookAttempt.objects.count() == 1

    assert operator.delete(f"{WEBHOOKS}{endpoint['id']}/").status_code == 204
    keep(due, Attempt(status=200, body="late", duration_ms=1))
    assert WebhookAttempt.objects.count() == 0


def test_attempts_are_forgotten_with_their_message(operator: Any, receive: Receive) -> None:
    add(operator, receive().url)
    tell()
    deliver()
    old = timezone.now() - dt.timedelta(days=30, hours=1)
    for rows in (WebhookMessage.objects.all(), WebhookDelivery.objects.all()):
        rows.update(created_at=old)
    tell()
    deliver()
    assert WebhookAttempt.objects.count() == 2

    forget_messages()
    assert [one.delivery for one in WebhookAttempt.objects.all()] == [WebhookDelivery.objects.get()]


def test_whoever_may_not_see_deliveries_sees_no_attempts(
    operator: Any, receive: Receive, grants: GrantsDouble
) -> None:
    add(operator, receive().url)
    tell()
    deliver()
    (listed,) = below(operator)
    somebody, other = new_user(), new_user()
    grants.give(somebody, VIEW_WEBHOOKS, VIEW_DELIVERIES)
    grants.give(other, VIEW_ATTEMPTS)
    place = f"{DELIVERIES}{WebhookDelivery.objects.get().pk}/webhook-attempts/"

    assert client_for(somebody).get(ATTEMPTS).status_code == 403
    assert client_for(somebody).get(f"{ATTEMPTS}{listed['id']}/").status_code == 404
    assert client_for(somebody).get(place).status_code == 403
    assert client_for(other).get(ATTEMPTS).status_code == 200
    assert client_for(other).get(place).status_code == 404, "the delivery is not theirs to see"


def test_below_a_delivery_that_there_is_not_there_is_nothing(operator: Any) -> None:
    for key in (1, 10**30):
        assert operator.get(f"{DELIVERIES}{key}/webhook-attempts/").status_code == 404
