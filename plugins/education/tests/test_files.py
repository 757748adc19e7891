"""Many rows come in by an operation that runs as whoever asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from platform_core.testing.jobs import run_waiting_jobs
from platform_education.models import School, Student
from platform_identity.testing import auth_header, make_owner, make_unit

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
