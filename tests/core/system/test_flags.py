"""Feature flags over HTTP: who sees and switches them, what the switch does, and what no switch can do."""

from __future__ import annotations

import uuid
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone
from waffle import get_waffle_flag_model

from platform_core.models import AuditEvent, PluginContribution, PluginRecord
from platform_core.resource.flags import is_among
from platform_core.system.flags import CHANGE_FLAGS, VIEW_CHANGES, VIEW_FLAGS
from platform_core.testing.actors import GrantsDouble, client_for, new_user
from platform_core.testing.contract import structure

FLAGS = "/api/v1/system/flags/"
SECTIONS = "education.class_sections"
Flag = get_waffle_flag_model()

pytestmark = pytest.mark.django_db


@pytest.fixture
def operator(grants: GrantsDouble) -> Any:
    actor = new_user()
    grants.give(actor, VIEW_FLAGS, CHANGE_FLAGS, "education.view_classsection")
    return client_for(actor)


@pytest.fixture
def place() -> str:
    return f"{FLAGS}{Flag.objects.get(name=SECTIONS).pk}/"


@pytest.fixture
def sleeping() -> Any:
    """Return a flag that is on, of a plugin that is dormant now."""
    record = PluginRecord.objects.create(
        slug="sleeping",
        distribution="platform-sleeping",
        version="1.0",
        state="dormant",
        changed_at=timezone.now(),
    )
    PluginContribution.objects.create(
        plugin=record,
        kind="flags",
        name="sleeping.dreams",
        version="1.0",
        facts={"owner": "Team Night", "expires_on": "2020-01-31", "default": False},
    )
    return Flag.objects.create(name="sleeping.dreams", everyone=True)


def test_a_share_of_callers_are_always_the_same_ones(operator: Any, place: str) -> None:
    people = [client_for(new_user()) for _ in range(40)]

    def found_on() -> list[int]:
        asked = (one.get("/api/v1/education/class-sections/").status_code for one in people)
        return [index for index, status in enumerate(asked) if status != 404]

    shares = []
    for percent in ("20", "60", "99.9"):
        operator.patch(place, {"everyone": None, "percent": percent})
        shares.append(found_on())
        assert found_on() == shares[-1]
    assert set(shares[0]) <= set(shares[1]) <= set(shares[2])
    assert 1 <= len(shares[0]) < len(shares[1]) < len(shares[2])


def test_a_share_is_as_large_as_it_says_and_differs_from_flag_to_flag() -> None:
    people = [f"user:{uuid.UUID(int=number)}" for number in range(4000)]
    chosen = {
        flag: {one for one in people if is_among(flag, one, Decimal(25))} for flag in ("a", "b")
    }
    assert all(900 < len(found) < 1100 for found in chosen.values())
    assert 200 < len(chosen["a"] & chosen["b"]) < 300


def test_a_flag_has_a_history(operator: Any, place: str, grants: GrantsDouble) -> None:
    for everyone in (False, None):
        operator.patch(place, {"everyone": everyone})
    viewer = new_user()
    grants.give(viewer, VIEW_CHANGES)
    changes = f"/api/v1/system/flag-changes/?target_id={place.split('/')[-2]}"

    found = client_for(viewer).get(changes).json()["data"]

    assert [(one["flag"], one["before"], one["after"]["everyone"]) for one in found] == [
        (SECTIONS, {"everyone": False, "percent": None}, None),
        (SECTIONS, {"everyone": True, "percent": None}, False),
    ]
    assert operator.get(changes).status_code == 403


def test_a_flag_is_shown_with_what_its_plugin_says_of_it(operator: Any, place: str) -> None:
    shown = operator.get(place).json()

    assert shown.pop("modified")
    assert shown.pop("id")
    assert shown == {
        "name": SECTIONS,
        "plugin": "education",
        "title": "Homerooms: class sections, their students and their teachers",
        "owner": "education",
        "expires_on": "2027-12-31",
        "expired": False,
        "in_force": True,
        "state": "on",
        "everyone": True,
        "percent": None,
    }


def test_the_switch_opens_and_closes_routes_and_leaves_an_event(operator: Any, place: str) -> None:
    sections = "/api/v1/education/class-sections/"
    assert operator.get(sections).status_code == 200

    off = operator.patch(place, {"everyone": False})

    assert (off.status_code, off.json()["state"]) == (200, "off")
    assert operator.get(sections).status_code == 404
    event = AuditEvent.objects.latest("id")
    assert (event.action, event.target_type, event.outcome) == ("update", "waffle.flag", "done")
    assert event.details == {
        "flag": SECTIONS,
        "before": {"everyone": True, "percent": None},
        "after": {"everyone": False, "percent": None},
    }
    assert operator.patch(place, {"everyone": True}).json()["state"] == "on"
    assert operator.get(sections).status_code == 200


def test_a_flag_is_on_for_a_part_of_all_calls(operator: Any, place: str) -> None:
    body = operator.patch(place, {"everyone": None, "percent": "12.5"}).json()

    assert (body["state"], body["everyone"], body["percent"]) == ("partly", None, "12.5")
    assert operator.patch(place, {"percent": None}).json()["state"] == "off"


@pytest.mark.parametrize(
    "body",
    [
        {"percent": "-1"},
        {"percent": "100"},
        {"percent": "NaN"},
        {"percent": "1.25"},
        {"everyone": "perhaps"},
        {"name": "education.other"},
        {"note": "x"},
        {"in_force": False},
    ],
)
def test_a_switch_that_makes_no_sense_is_refused(
    body: dict[str, Any], operator: Any, place: str
) -> None:
    assert operator.patch(place, body).status_code == 422
    assert Flag.objects.get(name=SECTIONS).everyone is True


def test_a_dry_run_switches_nothing(operator: Any, place: str) -> None:
    answer = operator.patch(f"{place}?dry_run=true", {"everyone": False})

    assert answer.json()["state"] == "off"
    assert Flag.objects.get(name=SECTIONS).everyone is True


def test_flags_are_neither_made_nor_removed(operator: Any, place: str) -> None:
    made = {"name": "education.invented", "everyone": True}
    assert operator.post(FLAGS, made).status_code == 405
    assert operator.put(place, made).status_code == 405
    assert operator.delete(place).status_code == 405
    assert not Flag.objects.filter(name="education.invented").exists()


def test_what_nobody_declares_does_not_exist(operator: Any) -> None:
    stray = Flag.objects.create(name="education.stray", everyone=True)

    names = [one["name"] for one in operator.get(FLAGS).json()["data"]]

    assert SECTIONS in names
    assert stray.name not in names
    assert operator.patch(f"{FLAGS}{stray.pk}/", {"everyone": False}).status_code == 404


def test_the_flag_of_a_dormant_plugin_is_off_and_stays_off(operator: Any, sleeping: Any) -> None:
    place = f"{FLAGS}{sleeping.pk}/"
    shown = operator.get(place).json()
    assert (shown["state"], shown["in_force"], shown["plugin"]) == ("off", False, "sleeping")
    assert (shown["owner"], shown["expires_on"], shown["expired"]) == (
        "Team Night",
        "2020-01-31",
        True,
    )

    for body in ({"everyone": True}, {"everyone": None, "percent": "5"}):
        refused = operator.patch(place, body)
        assert (refused.status_code, refused.json()["code"]) == (409, "plugin_not_enabled")
        assert "platformctl plugin enable sleeping" in refused.json()["detail"]
    assert operator.patch(place, {"everyone": False}).status_code == 200
    assert Flag.objects.get(pk=sleeping.pk).everyone is False


def test_seeing_and_switching_have_a_permission_each(grants: GrantsDouble, place: str) -> None:
    nobody, viewer, switcher = new_user(), new_user(), new_user()
    grants.give(viewer, VIEW_FLAGS)
    grants.give(switcher, CHANGE_FLAGS)

    assert client_for(None).get(FLAGS).status_code == 401
    assert client_for(nobody).get(FLAGS).status_code == 403
    assert client_for(viewer).get(place).status_code == 200
    refused = {
        actor: client_for(actor).patch(place, {"everyone": False}).status_code
        for actor in (nobody, viewer, switcher)
    }
    assert refused == {nobody: 404, viewer: 403, switcher: 404}
    assert Flag.objects.get(name=SECTIONS).everyone is True


def test_the_list_is_narrowed_and_refuses_what_it_does_not_know(
    operator: Any, sleeping: Any
) -> None:
    found = operator.get(f"{FLAGS}?name={sleeping.name}").json()["data"]
    assert [one["id"] for one in found] == [sleeping.pk]
    assert operator.get(f"{FLAGS}?plugin=education").status_code == 422


def test_flags_are_described_in_openapi() -> None:
    paths = structure.valid_openapi()["paths"]
    assert set(paths[FLAGS]) == {"get"}
    assert set(paths[f"{FLAGS}{{id}}/"]) == {"get", "patch"}
