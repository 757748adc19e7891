"""How many files of exports one person may keep, and how they go before their time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connections, transaction
from django.test import Client
from django.utils import timezone
from rest_framework.request import Request

from platform_core.access import ANONYMOUS, Actor
from platform_core.models import AuditEvent, Operation
from platform_core.operations import keeping
from platform_core.operations.files import folder_of
from platform_core.runtime_settings.changing import set_value
from platform_core.runtime_settings.reading import watch
from platform_core.testing.jobs import run_waiting_jobs
from platform_education.models import School
from platform_education.resources import SchoolResource
from platform_identity.models import User
from platform_identity.testing import auth_header, grant, make_owner, make_unit, make_user

EXPORT = "/api/v1/education/schools/export/"
OPERATIONS = "/api/v1/operations/"
LATER = {"Prefer": "respond-async"}
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _data_dir(tmp_path: Path, settings: Any) -> Iterator[None]:
    settings.PLATFORM_DATA_DIR = tmp_path
    watch().forget()
    yield
    watch().forget()


@pytest.fixture
def owner() -> User:
    return make_owner("owner@example.org")


def limit(**values: int) -> None:
    for name, value in values.items():
        set_value(variable=f"PLATFORM_{name.upper()}", value=value)
    watch().read()


def export(person: User, query: str = "", **headers: str) -> Any:
    return Client().get(f"{EXPORT}{query}", headers={**auth_header(person), **LATER, **headers})


def delete(person: User, place: str, query: str = "") -> Any:
    return Client().delete(f"{place}{query}", headers=auth_header(person))


def found(person: User, answer: Any) -> dict[str, Any]:
    shown: dict[str, Any] = Client().get(answer["Location"], headers=auth_header(person)).json()
    return shown


def test_more_files_than_one_may_keep_are_refused_with_the_ways_out(owner: User) -> None:
    limit(export_files=2)
    first, second = export(owner), export(owner)
    assert (first.status_code, second.status_code) == (202, 202)

    refused = export(owner)

    assert (refused.status_code, refused.json()["code"]) == (409, "too_many_files")
    detail = refused.json()["detail"]
    assert "You have 2 files of exports, and may have 2." in detail
    assert "DELETE /api/v1/operations/<id>/" in detail
    assert Operation.objects.count() == 2
    told = AuditEvent.objects.filter(action="export").order_by("id")
    assert [one.outcome for one in told] == ["done", "done", "refused"]
    assert export(owner, Prefer="").getvalue()
    other = export(make_owner("other@example.org"))
    assert other.status_code == 202, other.content
    run_waiting_jobs()
    assert export(owner).status_code == 409
    assert delete(owner, first["Location"]).status_code == 204
    assert export(owner).status_code == 202


@pytest.mark.parametrize(
    "values",
    [
        {"state": "failed", "finished_at": timezone.now()},
        {"state": "cancelled", "finished_at": timezone.now()},
        {"expires_at": timezone.now(), "finished_at": timezone.now(), "state": "succeeded"},
        {"kind": "education.schools.import"},
        {"actor_kind": "service"},
    ],
)
def test_what_keeps_no_file_of_an_export_does_not_count(
    owner: User, values: dict[str, Any]
) -> None:
    limit(export_files=1)
    started = export(owner)
    assert export(owner).status_code == 409
    Operation.objects.filter(pk=started.json()["id"]).update(**values)
    assert export(owner).status_code == 202


def test_what_waits_longer_than_files_are_kept_still_counts(owner: User) -> None:
    limit(export_files=1)
    export(owner)
    Operation.objects.update(expires_at=timezone.now())
    assert export(owner).status_code == 409


def test_bytes_are_counted_before_while_and_after_a_file_is_made(owner: User) -> None:
    School.objects.bulk_create(
        School(name=f"School {number:04}", unit=None) for number in range(30)
    )
    wanted = "?fields=name&search="
    size = len("name\r\n") + 30 * len("School 0000\r\n")
    limit(export_bytes=1_000)
    first = export(owner, wanted)
    run_waiting_jobs()
    assert found(owner, first)["file"]["size"] == size == 396

    second, third = export(owner, wanted), export(owner, wanted)
    run_waiting_jobs()

    assert found(owner, second)["state"] == "succeeded"
    refused = found(owner, third)
    assert (refused["state"], refused["file"]) == ("failed", None)
    assert (refused["problem"]["status"], refused["problem"]["code"]) == (409, "too_many_files")
    assert "1000" in refused["problem"]["detail"]
    assert not folder_of(Operation.objects.get(pk=refused["id"]).pk).joinpath("input").exists()
    Operation.objects.filter(pk=first.json()["id"]).update(file_size=700)
    full = export(owner, wanted)
    assert (full.status_code, full.json()["code"]) == (409, "too_many_files")
    assert "respond-async" in full.json()["detail"]


def test_a_file_that_nobody_could_fetch_is_sent_at_once(owner: User, rf: Any) -> None:
    view = SchoolResource(slug="education")
    view.request = Request(rf.get(EXPORT, headers=LATER))
    asked = []
    for actor in (ANONYMOUS, Actor(owner.pk, "user")):
        view.actor = actor
        asked.append(view._goes_to_background())
    assert asked == [False, True]


def test_an_operation_is_deleted_with_its_file_by_whoever_started_it(
    owner: User, django_capture_on_commit_callbacks: Any
) -> None:
    answer = export(owner)
    place, operation_id = answer["Location"], Operation.objects.get().pk
    waiting = delete(owner, place)
    assert (waiting.status_code, waiting.json()["code"]) == (409, "not_ended")
    run_waiting_jobs()
    assert folder_of(operation_id).is_dir()
    assert delete(make_user("stranger@example.org"), place).status_code == 404
    with django_capture_on_commit_callbacks(execute=True):
        assert delete(owner, place, "?dry_run=true")["Dry-Run"] == "true"
    assert folder_of(operation_id).is_dir()

    with django_capture_on_commit_callbacks(execute=True):
        assert delete(owner, place).status_code == 204

    assert not folder_of(operation_id).exists()
    assert delete(owner, place).status_code == 404
    assert Client().get(f"{place}file/", headers=auth_header(owner)).status_code == 404
    told = AuditEvent.objects.filter(target_id=str(operation_id), action="delete")
    assert [one.outcome for one in told.order_by("id")] == ["refused", "refused", "done", "refused"]


def test_an_operation_of_somebody_else_is_deleted_with_the_permission_alone() -> None:
    person, owner = make_owner("asks@example.org"), make_owner("owner@example.org")
    viewer = make_user("viewer@example.org")
    grant(viewer, ["platform_core.view_operation"])
    place = export(person)["Location"]
    run_waiting_jobs()
    assert delete(viewer, place).status_code == 403
    assert delete(owner, place).status_code == 204


@pytest.mark.django_db(transaction=True)
def test_fifty_at_once_start_exactly_as_many_as_one_may() -> None:
    owner = make_owner("owner@example.org")
    limit(export_files=5)
    headers = {**auth_header(owner), **LATER}
    barrier = threading.Barrier(50)
    statuses: list[int] = []

    def ask() -> None:
        try:
            barrier.wait(60)
            statuses.append(Client().get(EXPORT, headers=headers).status_code)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=ask) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)

    assert sorted(statuses) == [202] * 5 + [409] * 45
    assert Operation.objects.count() == 5


@pytest.mark.django_db(transaction=True)
def test_files_that_end_at_once_have_no_more_bytes_than_one_may() -> None:
    owner = make_owner("owner@example.org")
    School.objects.create(name="S", unit=make_unit("S"))
    limit(export_bytes=1_000)
    actor = Actor(owner.pk, "user")
    for _ in range(8):
        export(owner)
    barrier = threading.Barrier(8)
    outcomes: list[bool] = []

    def take(operation: Operation) -> None:
        try:
            barrier.wait(60)
            keeping.take_bytes(operation.pk, actor, 300)
            outcomes.append(True)
        except keeping.TooManyFiles:
            outcomes.append(False)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=take, args=(one,)) for one in Operation.objects.all()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert sorted(outcomes) == [False] * 5 + [True] * 3
    with transaction.atomic():
        assert keeping.bytes_left(Operation.objects.filter(file_size=None)[0].pk, actor) == 100
