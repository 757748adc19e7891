"""Many rows come in, and go out for who does not wait, by operations that run as whoever asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from platform_core.testing.jobs import run_waiting_jobs
from platform_education.models import School, Student
from platform_identity.models import RoleAssignment
from platform_identity.testing import auth_header, grant, make_owner, make_unit, make_user

STUDENTS = "/api/v1/education/students/"
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _data_dir(tmp_path: Path, settings: Any) -> None:
    settings.PLATFORM_DATA_DIR = tmp_path


def send(owner: Any, content: str, **headers: str) -> Any:
    return Client().generic(
        "POST",
        f"{STUDENTS}import/",
        content.encode(),
        content_type="text/csv",
        headers={**auth_header(owner), **headers},
    )


@pytest.mark.parametrize("strict", [False, True])
def test_more_rows_than_one_waits_for_become_an_operation(strict: bool) -> None:
    owner = make_owner("owner@example.org")
    school = School.objects.create(name="S", unit=make_unit("S"))
    rows = [f"Given {number},Family,{school.pk},g{number}@x.example" for number in range(501)]
    rows[7] = rows[7].replace("g7@x.example", "nowhere")
    content = "\r\n".join(["given_name,family_name,school,email", *rows])
    answer = send(owner, content, Prefer="handling=strict" if strict else "")
    assert answer.status_code == 202, answer.content
    assert not Student.objects.exists()
    run_waiting_jobs()
    found = Client().get(answer["Location"], headers=auth_header(owner)).json()
    if strict:
        assert (found["state"], found["problem"]["code"]) == ("failed", "import_failed")
        assert not Student.objects.exists()
        return
    assert found["state"] == "succeeded", found
    counts = {"rows": 501, "created": 500, "updated": 0, "unchanged": 0, "failed": 1}
    assert found["result"] == counts
    assert Student.objects.count() == 500
    assert set(Student.history.values_list("actor_id", flat=True)) == {owner.pk}
    file = Client().get(f"{answer['Location']}file/", headers=auth_header(owner))
    assert b"Given 7,Family," in b"".join(file.streaming_content)


def get(person: Any, path: str, **headers: str) -> Any:
    return Client().get(path, headers={**auth_header(person), **headers})


def content_of(response: Any) -> bytes:
    return b"".join(response.streaming_content)


def students(number: int) -> None:
    school = School.objects.create(name="S", unit=make_unit("S"))
    Student.objects.bulk_create(
        Student(given_name=f"Given {index}", family_name="Family", school=school)
        for index in range(number)
    )


@pytest.mark.parametrize("format_", ["csv", "jsonl", "xlsx"])
def test_an_export_that_nobody_waits_for_is_the_same_file(format_: str) -> None:
    owner = make_owner("owner@example.org")
    students(1_002)
    place = f"{STUDENTS}export/?format={format_}&given_name=Given%207&fields=id,given_name"
    if format_ == "csv":
        place = f"{STUDENTS}export/?ordering=-given_name"

    answer = get(owner, place, Prefer="respond-async")

    assert (answer.status_code, answer["Preference-Applied"]) == (202, "respond-async")
    assert answer.json()["kind"] == "education.students.export"
    run_waiting_jobs()
    found = get(owner, answer["Location"]).json()
    assert found["state"] == "succeeded", found
    assert found["result"] == {"rows": 1_002 if format_ == "csv" else 1}
    file = get(owner, found["file"]["url"])
    waited = get(owner, place)
    assert file["Content-Type"] == waited["Content-Type"]
    assert file["Content-Disposition"] == waited["Content-Disposition"]
    if format_ == "xlsx":  # the time of making is in it
        assert content_of(file)[:4] == content_of(waited)[:4]
    else:
        assert content_of(file) == content_of(waited)


def test_what_cannot_be_exported_is_refused_before_an_operation_starts() -> None:
    owner = make_owner("owner@example.org")
    wrong = get(owner, f"{STUDENTS}export/?format=pdf", Prefer="respond-async")
    nobody = Client().get(f"{STUDENTS}export/", headers={"Prefer": "respond-async"})
    assert (wrong.status_code, nobody.status_code) == (422, 401)
    assert get(owner, "/api/v1/operations/").json()["data"] == []


def test_an_export_is_decided_again_when_it_runs() -> None:
    registrar, unit = make_user("registrar@example.org"), make_unit("A")
    school = School.objects.create(name="A", unit=unit)
    Student.objects.create(given_name="Given", family_name="Family", school=school)
    grant(registrar, ("education.view_student", "education.export_student"), unit)
    first = get(registrar, f"{STUDENTS}export/", Prefer="respond-async")
    run_waiting_jobs()
    second = get(registrar, f"{STUDENTS}export/", Prefer="respond-async")
    RoleAssignment.objects.filter(user=registrar).update(ends_at=timezone.now())
    run_waiting_jobs()

    done = get(registrar, first["Location"]).json()
    refused = get(registrar, second["Location"]).json()
    assert (done["state"], done["result"]) == ("succeeded", {"rows": 1})
    assert (refused["state"], refused["problem"]["status"]) == ("failed", 403)
    assert refused["file"] is None


def test_the_file_of_an_export_is_for_whoever_may_still_export() -> None:
    person, unit = make_user("person@example.org"), make_unit("S")
    School.objects.create(name="S", unit=unit)
    may = grant(person, ["education.view_school", "education.export_school"], unit)
    exported = get(person, "/api/v1/education/schools/export/", Prefer="respond-async")
    run_waiting_jobs()
    place = f"{exported['Location']}file/"
    assert b"S" in content_of(get(person, place))

    may.delete()

    assert get(person, place).status_code == 404
