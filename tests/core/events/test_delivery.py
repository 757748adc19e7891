"""Events reach each subscriber once, in order, after the commit; a subscriber that fails holds up nobody else."""

from __future__ import annotations

import threading
import uuid
from typing import Any

import pytest
from django.db import connections, transaction
from django.utils import timezone

from platform_core.access import Actor, acting_as, current_actor, current_request_id
from platform_core.events import Event, OutsideTransaction, Received, emit, overview
from platform_core.events import delivering as events
from platform_core.events.catalogue import all_subscriptions
from platform_core.events.delivering import MOST_ATTEMPTS, dispatch_once
from platform_core.models import (
    AuditEvent,
    EventDelivery,
    EventReceipt,
    EventRecord,
    PluginContribution,
)
from platform_core.registry import contents
from platform_core.registry.contents import Registry
from tests.core.events.ground import Subscribing, ThingCounted

THING = uuid.UUID(int=1)


class Heard:
    """A subscriber that keeps what it hears, and may fail."""

    def __init__(self, fails: Any = lambda received: False) -> None:
        self.numbers: list[int] = []
        self.received: list[Received[ThingCounted]] = []
        self.fails = fails

    def __call__(self, received: Received[ThingCounted]) -> None:
        if self.fails(received):
            raise ValueError("no")
        self.numbers.append(received.event.number)
        self.received.append(received)


def count(*numbers: int, thing: uuid.UUID = THING) -> None:
    for number in numbers:
        with transaction.atomic():
            emit(ThingCounted(thing=thing, number=number))


def told() -> Any:
    """Return what the audit trail knows of decisions about parked events."""
    return AuditEvent.objects.filter(target_type="subscription").order_by("id")


def due_now() -> None:
    EventDelivery.objects.update(not_before=timezone.now())


@pytest.mark.django_db
def test_a_subscriber_hears_each_event_once_and_in_order(subscribe: Subscribing) -> None:
    heard = Heard()
    subscribe("listen", heard)
    caused_by = Actor(uuid.uuid4(), "user", "somebody")
    with acting_as(caused_by, request_id="request-1"):
        count(1, 2, 3)

    assert dispatch_once() == 3
    assert dispatch_once() == 0
    assert heard.numbers == [1, 2, 3]
    first = heard.received[0]
    assert (first.sequence, first.attempt, first.actor_id) == (1, 1, caused_by.id)
    assert first.request_id == "request-1"
    assert first.aggregate == f"identity.thing:{THING}"
    assert EventRecord.objects.filter(name=ThingCounted.name).count() == 3
    assert EventReceipt.objects.filter(subscription="identity.listen").count() == 3


@pytest.mark.django_db
def test_a_subscriber_acts_as_the_system_under_the_request_of_the_event(
    subscribe: Subscribing,
) -> None:
    seen: list[Any] = []
    subscribe("listen", lambda received: seen.append((current_actor(), current_request_id())))
    with acting_as(Actor(uuid.uuid4(), "user"), request_id="request-2"):
        count(1)
    dispatch_once()
    assert [(one.kind, one.label, request) for one, request in seen] == [
        ("system", "subscription identity.listen", "request-2")
    ]


@pytest.mark.django_db(transaction=True)
def test_an_event_needs_a_transaction_and_goes_with_it(subscribe: Subscribing) -> None:
    heard = Heard()
    subscribe("listen", heard)
    with pytest.raises(OutsideTransaction, match="inside the transaction"):
        emit(ThingCounted(thing=THING, number=1))
    with transaction.atomic():
        emit(ThingCounted(thing=THING, number=2))
        transaction.set_rollback(True)
    count(3)
    dispatch_once()
    assert heard.numbers == [3]
    assert heard.received[0].sequence == 1


@pytest.mark.django_db
def test_an_event_that_nobody_declares_cannot_be_emitted(subscribe: Subscribing) -> None:
    class Unknown(Event):
        """Something."""

        name = "identity.thing.lost"
        aggregate = "thing"

        thing: uuid.UUID

    with pytest.raises(LookupError, match="hook events"), transaction.atomic():
        emit(Unknown(thing=THING))


@pytest.mark.django_db
def test_a_failure_holds_back_later_events_of_the_thing_for_that_subscriber_only(
    subscribe: Subscribing,
) -> None:
    other_thing = uuid.UUID(int=2)
    broken = [True]
    failing = Heard(lambda received: received.event.number == 2 and broken[0])
    calm = Heard()
    subscribe("failing", failing)
    subscribe("calm", calm)
    count(1, 2, 3)
    count(10, thing=other_thing)

    dispatch_once()

    assert sorted(failing.numbers) == [1, 10]
    assert sorted(calm.numbers) == [1, 2, 3, 10]
    held = EventDelivery.objects.get(attempts=1)
    assert held.error_class == "builtins.ValueError"
    assert held.error_id
    assert dispatch_once() == 0, "it does not come again before its time"

    broken[0] = False
    due_now()
    dispatch_once()
    assert [one for one in failing.numbers if one != 10] == [1, 2, 3]
    assert failing.received[-2].attempt == 2


@pytest.mark.django_db
def test_what_a_failing_subscriber_wrote_is_undone(subscribe: Subscribing) -> None:
    from platform_core.models import PluginRecord

    def write_and_fail(received: Received[Any]) -> None:
        PluginRecord.objects.filter(slug="identity").update(version="broken")
        raise ValueError("no")

    subscribe("failing", write_and_fail)
    count(1)
    dispatch_once()
    assert not PluginRecord.objects.filter(version="broken").exists()
    assert not EventReceipt.objects.filter(subscription="identity.failing").exists()


@pytest.mark.django_db
def test_after_too_many_failures_an_event_is_parked_with_its_owner(
    subscribe: Subscribing, caplog: pytest.LogCaptureFixture
) -> None:
    broken = [True]
    heard = Heard(lambda received: broken[0])
    subscribe("failing", heard)
    count(1, 2)
    for _attempt in range(MOST_ATTEMPTS + 2):
        dispatch_once()
        EventDelivery.objects.filter(parked_at__isnull=True).update(not_before=timezone.now())

    assert overview.parked_owners() == {"identity": 1}
    found = overview.overview(state="parked")
    assert found["counts"] == {"identity.failing": {"parked": 1, "waiting": 1}}
    parked = found["deliveries"][0]
    assert (parked["plugin"], parked["attempts"]) == ("identity", MOST_ATTEMPTS)

    broken[0] = False
    assert overview.retry(delivery=parked["id"] + 1000) == 0
    assert overview.retry(delivery=parked["id"]) == 1
    assert [(one.action, one.target_id) for one in told()] == [
        ("event.retried", "identity.failing")
    ]
    dispatch_once()
    assert heard.numbers == [1, 2]


@pytest.mark.django_db
def test_a_parked_event_may_be_given_up(subscribe: Subscribing) -> None:
    heard = Heard(lambda received: received.event.number == 1)
    subscribe("failing", heard)
    count(1, 2)
    EventDelivery.objects.filter(sequence=1).update(attempts=MOST_ATTEMPTS - 1)
    dispatch_once()
    parked = EventDelivery.objects.get(parked_at__isnull=False)
    assert overview.skip(delivery=EventDelivery.objects.get(parked_at=None).pk) == 0

    assert overview.skip(delivery=parked.pk) == 1
    dispatch_once()
    assert heard.numbers == [2]
    assert [(one.action, one.target_id, one.details["count"]) for one in told()] == [
        ("event.skipped", "identity.failing", 1)
    ]
    assert EventReceipt.objects.filter(subscription="identity.failing").count() == 2


@pytest.mark.django_db
def test_what_was_received_is_not_handed_over_again(subscribe: Subscribing) -> None:
    heard = Heard()
    subscribe("listen", heard)
    count(1)
    copies = list(EventDelivery.objects.all())
    dispatch_once()
    EventDelivery.objects.bulk_create(copies)

    dispatch_once()

    assert heard.numbers == [1]
    assert not EventDelivery.objects.exists()


@pytest.mark.django_db
def test_a_sleeping_plugins_subscription_waits(subscribe: Subscribing) -> None:
    heard = Heard()
    record = PluginContribution(
        plugin_id="education",
        kind="subscriptions",
        name="education.listen",
        version="1",
        facts={"event": ThingCounted.name},
    )
    now = contents.installed()
    asleep = Registry(
        plugins=tuple(one for one in now.plugins if one.slug != "education"),
        entries=now.entries,
        published=now.published,
    )
    record.save()
    contents.install(asleep)
    count(1, 2)
    assert dispatch_once() == 0
    assert overview.overview()["counts"] == {"education.listen": {"sleeping": 2}}

    contents.install(now)
    subscribe("listen", heard)
    EventDelivery.objects.update(subscription="identity.listen")  # it wakes up
    dispatch_once()
    assert heard.numbers == [1, 2]


@pytest.mark.django_db
def test_a_payload_of_an_earlier_version_is_upgraded_or_parked(
    subscribe: Subscribing, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = Heard()
    subscribe("listen", heard)
    count(1)
    monkeypatch.setattr(ThingCounted, "version", 2)
    dispatch_once()
    assert EventDelivery.objects.get().error_class == "builtins.ValueError"

    monkeypatch.setattr(
        ThingCounted, "upgrade", classmethod(lambda cls, old, version: {**old, "number": 100})
    )
    due_now()
    dispatch_once()
    assert heard.numbers == [100]


@pytest.mark.django_db
def test_between_its_begin_and_its_taking_an_event_is_left_to_whoever_began(
    subscribe: Subscribing, monkeypatch: Any
) -> None:
    monkeypatch.setattr(events, "RESERVED_S", 600)
    subscribe("listen", Heard())
    count(1)
    name, aggregate = EventDelivery.objects.values_list("subscription", "aggregate").get()
    owned = all_subscriptions()[name]

    begun = events.begin(owned, aggregate)
    assert events.begin(owned, aggregate) is events.deliver_next(name, aggregate)
    assert dispatch_once() == 0
    assert EventDelivery.objects.get().lost == 1, "nobody else has counted an attempt"

    due_now()  # whoever began has died
    again = events.begin(owned, aggregate)
    assert (again, EventDelivery.objects.get().lost) == (begun, 2)
    assert isinstance(again, int)
    taken = events.take(again)
    assert taken is not None
    assert taken.is_new
    assert events.take(again) is None


@pytest.mark.django_db(transaction=True)
def test_an_attempt_that_fails_among_many_that_try_counts_no_death(
    subscribe: Subscribing, monkeypatch: Any
) -> None:
    monkeypatch.setattr(events, "RESERVED_S", 600)
    subscribe("listen", Heard(fails=lambda received: True))
    things = [uuid.uuid4() for _ in range(10)]
    for thing in things:
        count(1, thing=thing)
    (name,) = set(EventDelivery.objects.values_list("subscription", flat=True))
    aggregates = list(EventDelivery.objects.values_list("aggregate", flat=True))
    together = threading.Barrier(4)

    def deliver() -> None:
        try:
            for aggregate in aggregates:
                together.wait(30)
                events.deliver_next(name, aggregate)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=deliver) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert set(EventDelivery.objects.values_list("lost", flat=True)) == {0}
    assert min(EventDelivery.objects.values_list("attempts", flat=True)) == 1


@pytest.mark.django_db(transaction=True)
def test_threads_that_emit_and_deliver_keep_the_order(subscribe: Subscribing) -> None:
    heard: dict[uuid.UUID, list[int]] = {}
    lock = threading.Lock()

    def listen(received: Received[ThingCounted]) -> None:
        with lock:
            heard.setdefault(received.event.thing, []).append(received.sequence)

    subscribe("listen", listen)
    things = [uuid.uuid4() for _ in range(3)]
    done = threading.Event()
    failures: list[BaseException] = []

    def during(work: Any) -> None:
        try:
            work()
        except BaseException as error:
            failures.append(error)
        finally:
            connections.close_all()

    def emitting() -> None:
        for number in range(20):
            count(number, thing=things[number % 3])

    def delivering() -> None:
        while not done.is_set() or EventDelivery.objects.exists():
            events.dispatch_once()

    emitters = [threading.Thread(target=during, args=[emitting]) for _ in range(3)]
    workers = [threading.Thread(target=during, args=[delivering]) for _ in range(3)]
    for thread in (*emitters, *workers):
        thread.start()
    for thread in emitters:
        thread.join()
    done.set()
    for thread in workers:
        thread.join()

    assert failures == []
    assert {thing: sorted(found) for thing, found in heard.items()} == heard
    assert sum(map(len, heard.values())) == 60
