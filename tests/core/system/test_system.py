"""What the deployment tells of itself over HTTP: to whom, in pages, with owners, and without secrets."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from pydantic import SecretStr

from platform_core.access import acting_as
from platform_core.conf.settings import PluginSettings
from platform_core.contributions import HealthProbe
from platform_core.models import AuditEvent
from platform_core.registry import contents, installed
from platform_core.registry.contents import Entry
from platform_core.registry.inventory import list_plugins
from platform_core.registry.settings_report import shown_value
from platform_core.system.permissions import (
    CANCEL_TASKS,
    RETRY_TASKS,
    VIEW_SETTINGS,
    VIEW_SYSTEM,
    VIEW_TASKS,
)
from platform_core.tasks.backend import engine
from platform_core.tasks.engine import Submission
from platform_core.testing.actors import GrantsDouble, client_for, new_user
from platform_core.testing.contract import structure

SYSTEM = "/api/v1/system/"
NEEDED = {
    "plugins": VIEW_SYSTEM,
    "health": VIEW_SYSTEM,
    "tables": VIEW_SYSTEM,
    "limits": VIEW_SYSTEM,
    "settings": VIEW_SETTINGS,
    "tasks": VIEW_TASKS,
    "schedules": VIEW_TASKS,
}
KEYS = {
    "plugins": "slug",
    "health": "id",
    "tables": "name",
    "limits": "id",
    "settings": "variable",
    "schedules": "name",
}

pytestmark = pytest.mark.django_db


@pytest.fixture
def operator(grants: GrantsDouble) -> Any:
    actor = new_user()
    grants.give(actor, *NEEDED.values(), RETRY_TASKS, CANCEL_TASKS)
    return client_for(actor)


def rows(client: Any, name: str, **query: Any) -> list[dict[str, Any]]:
    answer = client.get(f"{SYSTEM}{name}/", {"limit": 200, **query})
    assert answer.status_code == 200, answer.content
    found: list[dict[str, Any]] = answer.json()["data"]
    return found


def enqueued(count: int = 1) -> list[str]:
    made = [Submission(task="identity.none", queue="identity", payload={"s": "hunter2"})] * count
    return [engine().enqueue(one).id for one in made]


@pytest.mark.parametrize("name", NEEDED)
def test_each_list_needs_its_permission(name: str, grants: GrantsDouble) -> None:
    nobody, viewer, others = new_user(), new_user(), new_user()
    grants.give(viewer, NEEDED[name])
    grants.give(others, *(set(NEEDED.values()) - {NEEDED[name]}), RETRY_TASKS, CANCEL_TASKS)
    answers = {
        who: client_for(actor).get(f"{SYSTEM}{name}/").status_code
        for who, actor in (("none", None), ("no", nobody), ("yes", viewer), ("other", others))
    }
    assert answers == {"none": 401, "no": 403, "yes": 200, "other": 403}


@pytest.mark.parametrize("name", NEEDED)
def test_what_a_list_does_not_know_is_refused(name: str, operator: Any) -> None:
    place = f"{SYSTEM}{name}/"
    for query in ("colour=red", "limit=0", "limit=1&limit=2", "fields=colour", "cursor=abc"):
        refused = operator.get(f"{place}?{query}")
        assert (refused.status_code, refused.headers["Content-Type"]) == (
            422,
            "application/problem+json",
        ), query
    wrong = operator.post(place, {})
    assert (wrong.status_code, wrong["Allow"]) == (405, "GET, HEAD")
    told = operator.options(place)
    assert (told.status_code, told["Allow"]) == (204, "GET, HEAD, OPTIONS")


@pytest.mark.parametrize("name", KEYS)
def test_pages_lead_through_the_whole_list_and_back(name: str, operator: Any) -> None:
    key, limit = KEYS[name], 1 if name in ("plugins", "schedules", "health", "limits") else 40
    seen, place = [], f"{SYSTEM}{name}/?limit={limit}"
    pages = []
    while place:
        body = operator.get(place).json()
        pages.append([one[key] for one in body["data"]])
        place = body["next"]
    seen = [one for page in pages for one in page]
    assert len(seen) == len(set(seen))
    assert seen == sorted(seen)
    assert len(seen) > 1
    back = [pages[-1]]
    while body["prev"]:
        body = operator.get(body["prev"]).json()
        back.insert(0, [one[key] for one in body["data"]])
    assert [one for page in back for one in page] == seen


def test_plugins_are_those_of_the_command_line_with_details(operator: Any) -> None:
    shown = {one["slug"]: one for one in rows(operator, "plugins")}
    for one in list_plugins(settings.PLATFORM.deployment):
        assert {name: shown[one["slug"]][name] for name in one} == one

    education = operator.get(f"{SYSTEM}plugins/education/").json()

    flags = [one for one in education["contributions"] if one["kind"] == "flags"]
    assert flags[0]["name"] == "education.class_sections"
    assert flags[0]["version"] == education["version"]
    assert flags[0]["place"].startswith("platform_education/")
    assert education["start"]["models"]["cpu"] >= 0
    assert {one["name"] for one in education["tables"]} >= {"education_school"}
    assert operator.get(f"{SYSTEM}plugins/nobody/").status_code == 404


def test_a_failing_probe_names_its_owner(operator: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def check() -> Any:
        raise RuntimeError("password=hunter2")

    registry = installed()
    probe = HealthProbe(name="mail", check=check, critical=False)
    entry = Entry(owner="identity", hook="health_probes", item=probe, place="x.py:1")
    entries = {**registry.entries, "health_probes": (entry,)}
    monkeypatch.setattr(contents, "_installed", dataclasses.replace(registry, entries=entries))

    found = {one["id"]: one for one in rows(operator, "health")}

    assert found["platform_core.database"]["healthy"] is True
    assert found["identity.mail"] == {
        "id": "identity.mail",
        "name": "mail",
        "plugin": "identity",
        "healthy": False,
        "critical": False,
        "detail": "The probe raised RuntimeError.",
    }


def test_each_table_has_one_owner_and_a_size(operator: Any) -> None:
    found = {one["name"]: one for one in rows(operator, "tables")}

    assert found["education_school"]["plugin"] == "education"
    assert found["platform_core_pluginrecord"]["plugin"] == "platform_core"
    assert found["education_historicalschool"]["history"] is True
    assert found["education_school"]["bytes"] > 0
    with connection.cursor() as cursor:
        there = set(connection.introspection.table_names(cursor))
    assert set(found) <= there
    of_education = rows(operator, "tables", plugin="education")
    assert {one["plugin"] for one in of_education} == {"education"}


def test_settings_tell_their_source_and_no_secret(
    operator: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = settings.PLATFORM
    core = state.deployment.core.model_copy(
        update={
            "email_url": "smtp://user:hunter2@mail",
            "audit_checkpoint_command": ["send", "--token", "hunter2"],
            "body_limit": 123_456,
        }
    )
    deployment = dataclasses.replace(state.deployment, core=core)
    monkeypatch.setattr(settings, "PLATFORM", dataclasses.replace(state, deployment=deployment))
    monkeypatch.setenv("PLATFORM_BODY_LIMIT", "123456")

    found = {one["variable"]: one for one in rows(operator, "settings")}

    assert "hunter2" not in json.dumps(found)
    limit = found["PLATFORM_BODY_LIMIT"]
    assert (limit["plugin"], limit["source"], limit["value"]) == (
        "platform_core",
        "environment",
        "123456",
    )
    assert limit["meaning"].startswith("Bytes that the body")
    mail = found["PLATFORM_EMAIL_URL"]
    assert (mail["shown"], mail["value"]) == (False, None)
    assert {one["plugin"] for one in found.values()} == {"platform_core", "identity"}


class Risky(PluginSettings):
    """Settings of every kind."""

    secret: SecretStr = SecretStr("hunter2")
    api_key: int = 7
    password_length: int = 7
    free: str = "hunter2"
    several: list[str] = ["hunter2"]
    maybe: SecretStr | None = None
    amount: int = 5
    wanted: bool = True


def test_only_what_cannot_be_a_secret_is_shown() -> None:
    value = Risky()
    shown = {name: shown_value(Risky, name, value) for name in Risky.model_fields}
    assert {name: text for name, text in shown.items() if text is not None} == {
        "amount": "5",
        "wanted": "true",
    }


def test_limits_tell_of_calls_and_bodies(operator: Any) -> None:
    found = {one["id"]: one for one in rows(operator, "limits")}
    assert found["body */*"]["unit"] == "bytes"
    assert found["signed_in"]["unit"] == "calls"
    assert {one["unit"] for one in rows(operator, "limits", unit="bytes")} == {"bytes"}


def test_schedules_tell_when_they_tick(operator: Any) -> None:
    found = {one["name"]: one for one in rows(operator, "schedules")}
    assert found["platform_core.forget_expired"]["next"] is not None


def test_tasks_come_newest_first_both_ways_without_what_they_were_given(operator: Any) -> None:
    ids = enqueued(5)[::-1]
    first = operator.get(f"{SYSTEM}tasks/?limit=2&plugin=identity&status=waiting")
    second = operator.get(first.json()["next"])
    again = operator.get(second.json()["prev"])

    assert [one["id"] for one in first.json()["data"]] == ids[:2]
    assert [one["id"] for one in second.json()["data"]] == ids[2:4]
    assert again.json()["data"] == first.json()["data"]
    assert again.json()["prev"] is None
    assert b"hunter2" not in first.content
    assert operator.get(f"{SYSTEM}tasks/{ids[0]}/").json()["status"] == "waiting"
    assert operator.get(f"{SYSTEM}tasks/?status=todo").status_code == 422
    for key in ("0", "9" * 30, "x", "-1", "²"):
        assert operator.get(f"{SYSTEM}tasks/{key}/").status_code == 404


def test_a_task_is_cancelled_and_run_again_and_both_are_recorded(operator: Any) -> None:
    (job,) = enqueued()
    place = f"{SYSTEM}tasks/{job}/"

    assert operator.post(f"{place}retry/").json()["code"] == "not_retryable"
    tried = operator.post(f"{place}cancel/?dry_run=true")
    assert (tried.json()["status"], tried["Dry-Run"]) == ("cancelled", "true")
    assert operator.get(place).json()["status"] == "waiting"
    no_key = {"Idempotency-Key": "k" * 256}
    refused = operator.post(f"{place}cancel/?dry_run=true", headers=no_key)
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_idempotency_key")
    key = {"Idempotency-Key": "once"}
    assert operator.post(f"{place}cancel/", headers=key).json()["status"] == "cancelled"
    assert operator.post(f"{place}cancel/", headers=key)["Idempotency-Replayed"] == "true"
    assert operator.post(f"{place}cancel/").status_code == 409
    assert operator.post(f"{place}retry/").json()["status"] == "waiting"
    wrong = operator.get(f"{place}retry/")
    assert (wrong.status_code, wrong["Allow"]) == (405, "POST")

    events = AuditEvent.objects.filter(target_type="task", target_id=job, outcome="done")
    assert [one.action for one in events.order_by("id")] == ["cancel", "retry"]


def test_looking_at_tasks_steers_none(grants: GrantsDouble) -> None:
    (job,) = enqueued()
    actor = new_user()
    for held in (VIEW_TASKS, RETRY_TASKS, CANCEL_TASKS):
        grants.give(actor, held)
        with acting_as(actor):
            assert client_for(actor).post(f"{SYSTEM}tasks/{job}/cancel/").status_code == (
                200 if held == CANCEL_TASKS else 403
            )


def test_everything_is_described_in_openapi() -> None:
    paths = structure.valid_openapi()["paths"]
    for name in NEEDED:
        assert "get" in paths[f"{SYSTEM}{name}/"]
    assert "post" in paths[f"{SYSTEM}tasks/{{key}}/retry/"]
