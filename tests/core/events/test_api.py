"""Events over HTTP: who sees them, who sees what they tell, and who decides about parked ones."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.db import transaction

from platform_core.events import emit
from platform_core.events.delivering import MOST_ATTEMPTS, dispatch_once
from platform_core.events.resources import (
    RETRY_EVENTS,
    SKIP_EVENTS,
    VIEW_DELIVERIES,
    VIEW_EVENTS,
    VIEW_PAYLOADS,
)
from platform_core.models import AuditEvent, EventDelivery, EventReceipt
from platform_core.testing.actors import GrantsDouble, client_for, new_user
from tests.core.events.ground import Subscribing, ThingCounted

SYSTEM = "/api/v1/system/"
THING = uuid.UUID(int=1)

pytestmark = pytest.mark.django_db


@pytest.fixture
def heard(subscribe: Subscribing) -> list[int]:
    """Three events: the first is parked, the second waits behind it, the third is about something else."""
    numbers: list[int] = []

    def listen(received: Any) -> None:
        if received.event.number == 1 and not numbers:
            raise ValueError("no")
        numbers.append(received.event.number)

    subscribe("listen", listen)
    with transaction.atomic():
        for number, thing in ((1, THING), (2, THING), (3, uuid.uuid4())):
            emit(ThingCounted(thing=thing, number=number))
    EventDelivery.objects.filter(sequence=1, aggregate__endswith=str(THING)).update(
        attempts=MOST_ATTEMPTS - 1
    )
    heads = EventDelivery.objects.filter(aggregate__endswith=str(THING))
    others = EventDelivery.objects.exclude(pk__in=heads)
    others.update(not_before="2999-01-01T00:00:00Z")
    dispatch_once()
    return numbers


def operator(grants: GrantsDouble, *permissions: str) -> Any:
    actor = new_user()
    grants.give(actor, VIEW_EVENTS, VIEW_DELIVERIES, *permissions)
    return client_for(actor)


def deliveries(client: Any, **query: Any) -> list[dict[str, Any]]:
    answer = client.get(f"{SYSTEM}event-deliveries/", query)
    assert answer.status_code == 200, answer.content
    found: list[dict[str, Any]] = answer.json()["data"]
    return found


def test_events_are_listed_and_what_they_tell_needs_its_permission(
    heard: list[int], grants: GrantsDouble
) -> None:
    query = {"name": ThingCounted.name, "aggregate": f"identity.thing:{THING}"}
    shown = operator(grants).get(f"{SYSTEM}events/", query).json()["data"]
    assert [one["sequence"] for one in shown] == [2, 1]
    assert "payload" not in shown[0]
    assert operator(grants).get(f"{SYSTEM}events/?fields=payload").status_code == 422

    trusted = operator(grants, VIEW_PAYLOADS)
    (first, second) = trusted.get(f"{SYSTEM}events/", query).json()["data"]
    assert first["payload"] == {"thing": str(THING), "number": 2}
    assert trusted.get(f"{SYSTEM}events/{second['id']}/").json()["payload"]["number"] == 1


def test_deliveries_are_found_by_state_owner_event_and_type(
    heard: list[int], grants: GrantsDouble
) -> None:
    client = operator(grants)
    (parked,) = deliveries(client, state="parked")
    assert (
        parked
        | {
            "subscription": "identity.listen",
            "plugin": "identity",
            "attempts": MOST_ATTEMPTS,
            "error_class": "builtins.ValueError",
            "asleep": False,
        }
        == parked
    )
    assert len(deliveries(client, state__in="waiting,parked")) == 3
    assert len(deliveries(client, plugin="identity", subscription="identity.listen")) == 3
    assert deliveries(client, aggregate=parked["aggregate"], sequence=parked["sequence"]) == [
        parked
    ]
    assert deliveries(client, plugin="education") == []


def test_a_parked_event_comes_again(heard: list[int], grants: GrantsDouble) -> None:
    client = operator(grants, RETRY_EVENTS)
    waiting, parked = (deliveries(client, state=state)[0] for state in ("waiting", "parked"))
    place = f"{SYSTEM}event-deliveries/{parked['id']}/retry/"
    assert operator(grants).post(place).status_code == 403
    refused = client.post(f"{SYSTEM}event-deliveries/{waiting['id']}/retry/")
    assert (refused.status_code, refused.json()["code"]) == (409, "not_possible")

    tried = client.post(f"{place}?dry_run=true")
    assert (tried.json()["state"], EventDelivery.objects.get(pk=parked["id"]).state) == (
        "waiting",
        "parked",
    )
    done = client.post(place)

    assert (done.json()["state"], done.json()["attempts"]) == ("waiting", 0)
    heard.append(0)  # it is mended
    dispatch_once()
    assert heard == [0, 1, 2]
    told = AuditEvent.objects.filter(action="retry", outcome="done").get()
    assert told.details["event"] == parked["event_id"]
    assert "event.retried" in told.details["notes"]


def test_a_parked_event_is_given_up(heard: list[int], grants: GrantsDouble) -> None:
    client = operator(grants, SKIP_EVENTS)
    waiting, parked = (deliveries(client, state=state)[0] for state in ("waiting", "parked"))
    assert (
        client.delete(f"{SYSTEM}event-deliveries/{waiting['id']}/").json()["code"] == "not_parked"
    )

    assert client.delete(f"{SYSTEM}event-deliveries/{parked['id']}/").status_code == 204

    dispatch_once()
    assert heard == [2]
    assert EventReceipt.objects.filter(event_id=parked["event_id"]).exists()
    told = AuditEvent.objects.filter(action="delete", outcome="done").get()
    assert told.details["subscription"] == "identity.listen"
