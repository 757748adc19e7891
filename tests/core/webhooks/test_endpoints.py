"""Endpoints over HTTP: what can be one, what it may be told, and what of it is told in the trail."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from platform_core.models import AuditEvent, WebhookDelivery, WebhookEndpoint
from platform_core.testing.actors import GrantsDouble, client_for, new_user
from platform_core.webhooks.permissions import ADD_WEBHOOKS, CHANGE_WEBHOOKS, VIEW_WEBHOOKS
from tests.core.outbound.allowing import allow
from tests.core.webhooks.steps import DELIVERIES, WEBHOOKS, Receive, add, deliver, tell

URL = "https://hooks.example.org/in"

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"url": "http://127.0.0.1/in"}, "address_refused"),
        ({"url": "https://169.254.169.254/latest"}, "address_refused"),
        ({"url": "http://hooks.example.org/in"}, "address_refused"),
        ({"url": "https://hooks.example.org:22/in"}, "address_refused"),
        ({"url": "https://user:password@hooks.example.org/in"}, "invalid_url"),
        ({"url": "https://2130706433/"}, "invalid_url"),
        ({"url": "file:///etc/passwd"}, "invalid_url"),
        ({"url": ""}, "blank"),
        ({"event_types": []}, "min_length"),
        ({"event_types": ["*"]}, "unknown_event_type"),
        ({"event_types": ["identity.user.invented"]}, "unknown_event_type"),
        ({"event_types": ["education.*"]}, "unknown_event_type"),
        ({"event_types": ["system.webhook.pinged"]}, "unknown_event_type"),
        ({"event_types": ["identity.%"]}, "unknown_event_type"),
        ({"event_types": "identity.*"}, "not_a_list"),
        ({"secret": "whsec_b3du"}, "read_only"),
        ({"disabled_because": "gone"}, "read_only"),
    ],
)
def test_what_cannot_be_called_or_told_is_refused(
    change: dict[str, Any], code: str, operator: Any, settings: Any
) -> None:
    allow(settings)
    good = {"url": URL, "event_types": ["identity.user.created"]}
    made = operator.post(WEBHOOKS, {**good, **change})
    place = f"{WEBHOOKS}{add(operator, URL)['id']}/"
    changed = operator.patch(place, change)

    for answer in (made, changed):
        assert answer.status_code == 422, answer.content
        assert code in {one["code"] for one in answer.json()["errors"]}


def test_a_known_type_may_stay_though_its_plugin_sleeps(operator: Any) -> None:
    endpoint = add(operator, URL)
    WebhookEndpoint.objects.update(event_types=["sleeping.dream.ended", "identity.*"])
    place = f"{WEBHOOKS}{endpoint['id']}/"
    kept = operator.patch(place, {"event_types": ["sleeping.dream.ended", "identity.user.*"]})
    assert kept.status_code == 200
    assert operator.patch(place, {"event_types": ["sleeping.night.fell"]}).status_code == 422


def test_every_change_leaves_an_event_without_addresses(operator: Any) -> None:
    endpoint = add(operator, URL)
    place = f"{WEBHOOKS}{endpoint['id']}/"
    operator.patch(place, {"url": f"{URL}2", "enabled": False})
    operator.patch(place, {"enabled": True})
    operator.post(f"{place}rotate-secret/", {"overlap_hours": 2})
    operator.post(f"{place}ping/", {})
    operator.delete(place)

    trail = AuditEvent.objects.filter(target_id=endpoint["id"]).order_by("id")
    assert [(one.action, one.details) for one in trail] == [
        ("create", {"event_types": ["identity.*"]}),
        ("update", {"changed": ["enabled", "url"], "enabled": False}),
        ("update", {"changed": ["enabled"], "enabled": True}),
        ("rotate_secret", {"overlap_hours": 2}),
        ("ping", {}),
        ("delete", {}),
    ]


def test_a_disabled_endpoint_is_sent_nothing(operator: Any) -> None:
    endpoint = add(operator, URL)
    place = f"{WEBHOOKS}{endpoint['id']}/"
    operator.post(f"{place}ping/", {})
    WebhookDelivery.objects.update(state="failed")
    operator.patch(place, {"enabled": False})
    since = {"since": "2026-01-01T00:00:00Z"}
    delivery = WebhookDelivery.objects.get()

    for address, body in (
        (f"{place}ping/", {}),
        (f"{place}redeliver-failed/", since),
        (f"{DELIVERIES}{delivery.pk}/redeliver/", {}),
    ):
        assert operator.post(address, body).status_code == 409, address


def test_adding_changing_and_rotating_are_permitted_apart(grants: GrantsDouble) -> None:
    adder, changer = new_user(), new_user()
    grants.give(adder, VIEW_WEBHOOKS, ADD_WEBHOOKS)
    grants.give(changer, VIEW_WEBHOOKS, CHANGE_WEBHOOKS)
    endpoint = add(client_for(adder), URL)
    place = f"{WEBHOOKS}{endpoint['id']}/"

    assert client_for(adder).patch(place, {"enabled": False}).status_code == 403
    assert client_for(changer).patch(place, {"enabled": False}).status_code == 200
    assert client_for(changer).post(WEBHOOKS, {"url": URL}).status_code == 403
    for somebody in (adder, changer):
        assert client_for(somebody).post(f"{place}rotate-secret/", {}).status_code == 403
        assert client_for(somebody).get(DELIVERIES).status_code == 403


def test_deliveries_are_found_by_what_became_of_them(operator: Any, receive: Receive) -> None:
    receiver = receive()
    endpoint = add(operator, receiver.url)
    told = tell()
    deliver()
    tell()

    def found(query: str) -> list[str]:
        answer = operator.get(f"{DELIVERIES}?{query}")
        assert answer.status_code == 200, answer.content
        return [one["message_id"] for one in answer.json()["data"]]

    assert len(found(f"endpoint_id={endpoint['id']}")) == 2
    assert found(f"message_id={told}") == found("state=delivered") == found("response_status=200")
    assert len(found("event_type=identity.user.created&plugin=identity&state=pending")) == 1
    assert found(f"endpoint_id={uuid4()}") == []
    assert operator.get(f"{DELIVERIES}?secret=x").status_code == 422


def test_endpoints_are_found_by_who_made_them_and_whether_they_are_told(operator: Any) -> None:
    endpoint = add(operator, URL)
    disabled = add(operator, URL)
    operator.patch(f"{WEBHOOKS}{disabled['id']}/", {"enabled": False})

    def found(query: str) -> list[str]:
        answer = operator.get(f"{WEBHOOKS}?{query}")
        assert answer.status_code == 200, answer.content
        return [one["id"] for one in answer.json()["data"]]

    assert found("enabled=true") == [endpoint["id"]]
    assert found("enabled=false") == [disabled["id"]]
    mine = found(f"created_by_id={endpoint['created_by_id']}")
    assert sorted(mine) == sorted([endpoint["id"], disabled["id"]])
    assert found(f"created_by_id={uuid4()}") == []


def test_event_types_are_listed_with_their_schema(grants: GrantsDouble) -> None:
    actor = new_user()
    grants.give(actor, "system.view_event_types")
    listed = client_for(actor).get("/api/v1/system/event-types/").json()["data"]

    assert "identity.user.created" in [one["name"] for one in listed]
    assert {one["plugin"] for one in listed} == {"identity"}
    user = {"format": "uuid", "title": "User", "type": "string"}
    assert listed[0]["schema"] == {"type": "object", "properties": {"user": user}, "required": ["user"]}  # fmt: skip
