"""Who is slow holds up nobody else: neither what others are told, nor jobs."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from django.db import connection, connections
from django.utils import timezone

from platform_core.models import WebhookDelivery, WebhookEndpoint, WebhookTurn, uuid7
from platform_core.outbound import send
from platform_core.tasks.backend import engine
from platform_core.tasks.engine import Submission
from platform_core.tasks.payload import make_payload
from platform_core.tasks.working import work
from platform_core.webhooks import attempting, delivering, senders
from platform_core.webhooks.attempting import Attempt
from platform_core.webhooks.dispatching import Shares, claim, end_turn
from platform_core.webhooks.signing import new_secret
from tests.core.webhooks.receivers import Receiver, Reply, until
from tests.core.webhooks.steps import Receive, tell

TASK = "platform_core.forget_expired"
THREADS = 4
NEVER_S = 3600.0
LONG_AGO = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def endpoint(url: str, owner: Any, *event_types: str) -> WebhookEndpoint:
    return WebhookEndpoint.objects.create(
        url=url,
        event_types=event_types or ["identity.*"],
        secret=new_secret(),
        created_by_kind="user",
        created_by_id=owner,
    )


@contextmanager
def working(receiver: Receiver) -> Iterator[None]:
    """Let a worker work for the block, in this process; in the end the receiver lets go of what it holds."""
    stop = threading.Event()

    def run() -> None:
        try:
            work(stop, concurrency=THREADS)
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        receiver.released.set()
        stop.set()
        thread.join(60)
        assert not thread.is_alive()
        with connection.cursor() as cursor:  # those of the worker's threads, which have ended
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )


def jobs_done() -> int:
    return engine().counts().get("platform_core", {}).get("succeeded", 0)


@pytest.mark.django_db(transaction=True)
def test_a_receiver_that_hangs_holds_up_neither_others_nor_jobs(
    operator: Any, receive: Receive, monkeypatch: Any
) -> None:
    """The receiver holds what it gets until the test lets go; there is no time limit that would end it before."""
    monkeypatch.setattr(attempting, "send", partial(send, timeout_s=NEVER_S))
    hanging = receive(lambda _arrived: Reply(pause_s=NEVER_S))
    healthy = receive()
    one, other = uuid7(), uuid7()
    slow = [endpoint(f"{hanging.url}/{number}", one).pk for number in range(10)]
    for _ in range(20):
        tell()
    assert WebhookDelivery.objects.count() == 200

    with working(hanging):
        until(lambda: len(hanging.arrived) >= THREADS - 1, within_s=120)
        quick = endpoint(healthy.url, other)
        WebhookEndpoint.objects.filter(pk__in=slow).update(event_types=[])
        for _ in range(50):
            tell()
        before = jobs_done()
        for _ in range(50):
            payload = make_payload(TASK, (), {})
            engine().enqueue(Submission(task=TASK, queue="platform_core", payload=payload))
        until(lambda: len(healthy.arrived) == 50 and jobs_done() >= before + 50, within_s=300)

        assert len({*healthy.ids()}) == 50
        told = WebhookDelivery.objects.filter(endpoint_id=quick.pk)
        until(lambda: told.filter(state="delivered").count() == 50)
        waiting = WebhookDelivery.objects.filter(endpoint_id__in=slow, state="pending")
        assert waiting.count() == 200, "the slow ones hang still"


def claimed(owner_of: dict[UUID, Any], running: list[UUID]) -> list[Any]:
    """Claim with eight senders, and return whose endpoints were claimed."""
    found = claim(SENDER, senders=8, running=running)
    running += found
    return sorted(owner_of[one] for one in found)


SENDER = uuid7()


@pytest.mark.django_db
def test_the_endpoints_of_one_owner_leave_senders_to_others() -> None:
    running: list[UUID] = []
    owners = {number: uuid7() for number in (1, 2)}
    owner_of = {endpoint("https://hooks.example.org/", owners[1]).pk: 1 for _ in range(20)}
    tell()
    assert claimed(owner_of, running) == [1] * 6
    assert claimed(owner_of, running) == [], "there are free ones, and they are not for this owner"

    owner_of |= {endpoint("https://hooks.example.org/", owners[2]).pk: 2 for _ in range(3)}
    nobodys = WebhookEndpoint.objects.create(
        url="https://hooks.example.org/", event_types=["identity.*"], secret=new_secret()
    )
    owner_of[nobodys.pk] = 3
    tell()
    assert claimed(owner_of, running) == [2, 3], "one of each, before two of one"
    assert claimed(owner_of, running) == [], "all are busy"
    end_turn(running.pop(0), SENDER, is_slow=False)
    assert claimed(owner_of, running) == [2], "who has less under way comes before who has more"


@pytest.mark.django_db
def test_of_an_owner_s_endpoints_the_one_served_longest_ago_comes_first() -> None:
    owner = uuid7()
    keys = [endpoint("https://hooks.example.org/", owner).pk for _ in range(5)]
    tell()
    for days, key in enumerate(keys[:-1]):
        WebhookTurn.objects.create(endpoint_id=key, seen_at=LONG_AGO - dt.timedelta(days=days))
    order = [claim(SENDER, senders=1)[0]]
    for _ in range(5):
        end_turn(order[-1], SENDER, is_slow=False)
        order += claim(SENDER, senders=1)
    never, *others = reversed(keys)
    assert order == [never, *others, never]


@pytest.mark.django_db
def test_the_slow_ones_of_all_owners_share_a_part_of_the_senders() -> None:
    running: list[UUID] = []
    owner_of = {endpoint("https://hooks.example.org/", uuid7()).pk: "slow" for _ in range(20)}
    tell()
    for key in owner_of:
        WebhookTurn.objects.create(endpoint_id=key, seen_at=LONG_AGO, is_slow=True)
    assert claimed(owner_of, running) == ["slow", "slow"]
    assert claimed(owner_of, running) == []

    owner_of |= {endpoint("https://hooks.example.org/", uuid7()).pk: "quick" for _ in range(3)}
    tell()
    assert claimed(owner_of, running) == ["quick"] * 3
    end_turn(running.pop(0), SENDER, is_slow=True)
    assert claimed(owner_of, running) == ["slow"]


@pytest.mark.django_db
def test_slow_endpoints_do_not_take_the_places_of_their_owner_s_quick_ones() -> None:
    running: list[UUID] = []
    owner = uuid7()
    owner_of = {endpoint("https://hooks.example.org/", owner).pk: "slow" for _ in range(20)}
    for key in owner_of:
        WebhookTurn.objects.create(endpoint_id=key, seen_at=LONG_AGO, is_slow=True)
    owner_of |= {endpoint("https://hooks.example.org/", owner).pk: "quick" for _ in range(5)}
    for key in [one for one, kind in owner_of.items() if kind == "quick"]:
        WebhookTurn.objects.create(endpoint_id=key, seen_at=timezone.now())
    tell()
    assert claimed(owner_of, running) == ["quick"] * 4 + ["slow"] * 2


@pytest.mark.parametrize(
    ("made", "is_slow"),
    [
        (Attempt(status=200, duration_ms=100), False),
        (Attempt(status=500, duration_ms=100), False),
        (Attempt(status=200, duration_ms=2500), True),
        (Attempt(status=503, duration_ms=100), True),
        (Attempt(error="timed_out", duration_ms=20_000), True),
        (Attempt(error="address_refused", duration_ms=0), False),
    ],
)
@pytest.mark.django_db
def test_the_last_attempt_says_whether_an_endpoint_is_slow(
    made: Attempt, is_slow: bool, monkeypatch: Any
) -> None:
    key = endpoint("https://hooks.example.org/", uuid7()).pk
    tell()
    monkeypatch.setattr(delivering, "attempt", lambda _endpoint, _message: made)
    assert claim(SENDER, senders=8) == [key]
    delivering.send_due(key, SENDER)
    left = WebhookTurn.objects.get()
    assert (left.is_slow, left.sender) == (is_slow, None)

    WebhookEndpoint.objects.update(enabled=False)
    WebhookTurn.objects.update(sender=SENDER)
    delivering.send_due(key, SENDER)
    assert WebhookTurn.objects.get().is_slow is is_slow, "nothing was sent that could tell"


@pytest.mark.parametrize(
    ("senders", "owned", "slow"), [(1, 1, 1), (4, 3, 1), (5, 4, 1), (8, 6, 2), (64, 48, 16)]
)
def test_the_shares_of_few_and_many_senders(senders: int, owned: int, slow: int) -> None:
    assert Shares.of(senders) == Shares(owned=owned, slow=slow)


@pytest.mark.django_db(transaction=True)
def test_what_fails_unexpectedly_ends_no_thread(
    operator: Any, receive: Receive, monkeypatch: Any
) -> None:
    """An error that nobody thought of costs one endpoint a while, and the others nothing."""
    receiver = receive()
    bad = endpoint(f"{receiver.url}/bad", uuid7())
    failed: list[UUID] = []

    def send_due(endpoint_id: UUID, sender: UUID, **rest: Any) -> int:
        if endpoint_id == bad.pk:
            failed.append(endpoint_id)
            raise ArithmeticError
        return delivering.send_due(endpoint_id, sender, **rest)

    monkeypatch.setattr(senders, "send_due", send_due)
    for _ in range(THREADS):
        tell()
    with working(receiver):
        until(lambda: failed)
        good = endpoint(receiver.url, uuid7())
        tell()
        until(lambda: receiver.arrived)
    assert WebhookDelivery.objects.filter(endpoint_id=good.pk, state="delivered").count() == 1
    assert len(failed) == 1, "its turn has to lapse before it is tried again"
