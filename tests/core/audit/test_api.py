"""The audit trail over HTTP: who may read it, narrow it, read and erase what is personal; that nobody writes it."""

from __future__ import annotations

import uuid
from typing import Any

import orjson
import pytest
from django.db import connection

from platform_core.access import Actor, acting_as
from platform_core.audit.recording import Event, write_events
from platform_core.audit.resources import (
    ERASE_PERSONAL,
    EXPORT_AUDIT,
    VIEW_AUDIT,
    VIEW_PERSONAL,
)
from platform_core.models import AuditEvent, AuditPayload
from platform_core.testing.actors import GrantsDouble, client_for, new_user
from platform_core.testing.contract import structure
from platform_core.testing.jobs import run_waiting_jobs

AUDIT = "/api/v1/system/audit/"
PAYLOADS = "/api/v1/system/audit-payloads/"

pytestmark = pytest.mark.django_db


@pytest.fixture
def auditor(grants: GrantsDouble) -> Any:
    actor = new_user()
    grants.give(actor, VIEW_AUDIT, VIEW_PERSONAL, ERASE_PERSONAL)
    return client_for(actor)


def made(actor: Actor | None = None, **values: Any) -> AuditEvent:
    with acting_as(actor or new_user(), request_id=uuid.uuid4().hex):
        write_events([Event(action=values.pop("action", "create"), **values)])
    found: AuditEvent = AuditEvent.objects.latest("id")
    return found


def ids(response: Any) -> list[int]:
    return [one["id"] for one in response.json()["data"]]


def test_an_event_is_shown_whole(auditor: Any) -> None:
    actor = new_user()
    one = made(
        actor,
        plugin="education",
        target_type="education.student",
        target_id="7",
        details={"rows": 2},
        reason="r",
    )
    shown = auditor.get(f"{AUDIT}{one.pk}/").json()
    assert shown == {
        "id": one.pk,
        "at": one.at.isoformat().replace("+00:00", "Z"),
        "actor_id": str(actor.id),
        "actor_kind": "user",
        "actor_label": "",
        "plugin": "education",
        "action": "create",
        "target_type": "education.student",
        "target_id": "7",
        "outcome": "done",
        "code": "",
        "request_id": one.request_id,
        "reason": "r",
        "details": {"rows": 2},
    }


def test_the_newest_come_first_page_by_page(auditor: Any) -> None:
    marked = [made(action="paged").pk for _ in range(5)]
    first = auditor.get(f"{AUDIT}?action=paged&limit=3")
    assert ids(first) == marked[::-1][:3]
    assert ids(auditor.get(first.json()["next"])) == marked[::-1][3:]


@pytest.mark.parametrize(
    "name",
    [
        "actor_id",
        "actor_kind",
        "plugin",
        "action",
        "target_type",
        "target_id",
        "outcome",
        "code",
        "request_id",
    ],
)
def test_the_trail_is_narrowed_by(name: str, auditor: Any) -> None:
    wanted = made(
        Actor(uuid.uuid4(), "service", "sync"),
        plugin="p1",
        action="act1",
        target_type="t1",
        target_id="i1",
        outcome="failed",
        code="c1",
    )
    made(plugin="p2", action="act2")
    found = auditor.get(f"{AUDIT}?{name}={getattr(wanted, name)}")
    assert ids(found) == [wanted.pk]


def test_the_trail_is_narrowed_by_time_and_words(auditor: Any) -> None:
    one, other = made(reason="moved to Lyon", action="t"), made(action="t")
    assert ids(auditor.get(AUDIT, {"action": "t", "at__lt": other.at.isoformat()})) == [one.pk]
    assert ids(auditor.get(AUDIT, {"action": "t", "at__gte": other.at.isoformat()})) == [other.pk]
    assert ids(auditor.get(AUDIT, {"search": "lyon"})) == [one.pk]
    assert auditor.get(AUDIT, {"actor_id": "x"}).status_code == 422


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_nobody_writes_the_trail(method: str, auditor: Any) -> None:
    one = made()
    for place in (AUDIT, f"{AUDIT}{one.pk}/", f"{PAYLOADS}{one.pk}/"):
        assert getattr(auditor, method)(place, {}).status_code in (404, 405)


def test_each_part_needs_its_permission(grants: GrantsDouble) -> None:
    event = made(personal={"address": "192.0.2.1"})
    places = {VIEW_AUDIT: AUDIT, VIEW_PERSONAL: f"{PAYLOADS}{event.pk}/"}
    for held in (VIEW_AUDIT, VIEW_PERSONAL):
        actor = new_user()
        grants.give(actor, held)
        for needed, place in places.items():
            assert client_for(actor).get(place).status_code == (
                200 if held == needed else 404 if place != AUDIT else 403
            )
        erased = client_for(actor).post(f"{PAYLOADS}{event.pk}/erase/", {"reason": "r"})
        assert erased.status_code == (403 if held == VIEW_PERSONAL else 404)
    assert client_for(None).get(AUDIT).status_code == 401


def test_a_look_at_what_is_personal_leaves_an_event(auditor: Any) -> None:
    event = made(personal={"address": "192.0.2.1"})
    assert auditor.get(f"{PAYLOADS}{event.pk}/").json() == {
        "event_id": event.pk,
        "content": {"address": "192.0.2.1"},
    }
    looked: AuditEvent = AuditEvent.objects.latest("id")
    assert (looked.action, looked.target_type, looked.target_id) == (
        "view",
        "platform_core.auditpayload",
        str(event.pk),
    )
    assert auditor.get(f"{PAYLOADS}{looked.pk + 1000}/").status_code == 404
    assert AuditEvent.objects.filter(target_id=str(looked.pk + 1000)).get().outcome == "refused"


def test_what_is_personal_is_erased_once_and_with_a_reason(auditor: Any) -> None:
    event = made(personal={"address": "192.0.2.1"})
    place = f"{PAYLOADS}{event.pk}/erase/"
    assert auditor.post(place, {}).status_code == 422
    assert auditor.post(f"{place}?dry_run=true", {"reason": "asked"}).status_code == 200
    assert AuditPayload.objects.get(pk=event.pk).content is not None
    assert auditor.post(place, {"reason": "asked"}).json() == {
        "event_id": event.pk,
        "content": None,
    }
    erasure: AuditEvent = AuditEvent.objects.latest("id")
    assert (erasure.action, erasure.target_id, erasure.reason) == ("erase", str(event.pk), "asked")
    assert auditor.post(place, {"reason": "asked"}).status_code == 409
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT salt, content FROM platform_core_auditpayload WHERE event_id = %s", [event.pk]
        )
        assert cursor.fetchone() == (None, None)


def test_many_are_erased_in_one_call(auditor: Any) -> None:
    events = [made(personal={"a": "b"}) for _ in range(3)]
    items = [{"id": one.pk, "reason": "asked"} for one in events]
    answer = auditor.post(f"{PAYLOADS}bulk/erase/", {"items": items})
    assert answer.json()["succeeded"] == 3
    assert (
        AuditEvent.objects.filter(
            action="erase", target_id__in=[str(one.pk) for one in events]
        ).count()
        == 3
    )


@pytest.mark.parametrize("number", ["0", str(1 << 63), "9" * 40])
def test_an_id_that_no_event_can_have_is_not_found(number: str, auditor: Any) -> None:
    assert auditor.get(f"{AUDIT}{number}/").status_code == 404
    assert auditor.get(f"{PAYLOADS}{number}/").status_code == 404


def test_the_trail_is_described_in_openapi() -> None:
    document = structure.valid_openapi()
    assert {"get"} == set(document["paths"][AUDIT])
    assert {"get"} == set(document["paths"][f"{AUDIT}{{id}}/"])
    assert (
        document["paths"][f"{AUDIT}{{id}}/"]["get"]["parameters"][0]["schema"]["type"] == "integer"
    )
    assert "post" in document["paths"][f"{PAYLOADS}{{id}}/erase/"]


def test_the_trail_is_exported_by_who_may_and_that_leaves_an_event(grants: GrantsDouble) -> None:
    one = made(action="exported", reason="=1+1")
    actor = new_user()
    grants.give(actor, VIEW_AUDIT)
    assert client_for(actor).get(f"{AUDIT}export/?action=exported").status_code == 403
    grants.give(actor, EXPORT_AUDIT)
    answer = client_for(actor).get(f"{AUDIT}export/?action=exported&format=jsonl")
    lines = b"".join(answer.streaming_content).splitlines()
    assert [orjson.loads(line)["id"] for line in lines] == [one.pk]
    told = AuditEvent.objects.filter(actor_id=actor.id).order_by("id")
    assert [(event.action, event.outcome) for event in told] == [
        ("export", "refused"),
        ("export", "done"),
    ]


def test_an_export_of_the_trail_goes_on_in_the_background(grants: GrantsDouble) -> None:
    """It belongs to the core and not to a plugin, and is the longest list that there is."""
    exporter = new_user()
    grants.give(exporter, VIEW_AUDIT, EXPORT_AUDIT)
    client = client_for(exporter)
    made(action="exported")

    answer = client.get(
        f"{AUDIT}export/?format=jsonl&action=exported", headers={"Prefer": "respond-async"}
    )
    assert answer.status_code == 202, answer.content
    run_waiting_jobs()

    found = client.get(answer["Location"]).json()
    assert (found["state"], found["result"]) == ("succeeded", {"rows": 1}), found
    file = client.get(found["file"]["url"])
    assert orjson.loads(b"".join(file.streaming_content))["action"] == "exported"
