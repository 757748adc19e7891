"""Operations: 202 at once, progress, result, file and cancellation for whoever asked, and for nobody else."""

from __future__ import annotations

import io
import stat
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.test import Client, RequestFactory
from django.utils import timezone

from platform_core.access import Actor, acting_as
from platform_core.models import Operation
from platform_core.operations import accepted, start_operation
from platform_core.operations.declaring import BackgroundFunction
from platform_core.operations.files import folder_of
from platform_core.tasks.own import forget_expired
from platform_core.testing.jobs import run_waiting_jobs
from platform_identity.models import OrgUnit, User
from platform_identity.testing import auth_header, grant, make_owner, make_user
from tests.core.operations import work

PLACE = "/api/v1/operations/"
pytestmark = pytest.mark.django_db


@pytest.fixture
def person() -> User:
    return make_user("asks@example.org")


@pytest.fixture(autouse=True)
def data_dir(tmp_path: Path, settings: Any) -> Path:
    settings.PLATFORM_DATA_DIR = tmp_path
    return tmp_path


def start(
    person: User, function: BackgroundFunction, given: bytes | None = None, **arguments: Any
) -> Operation:
    with acting_as(Actor(person.pk, "user"), request_id="the-request"):
        return start_operation(
            function,
            arguments,
            kind="identity.test",
            plugin="identity",
            input_file=None if given is None else io.BytesIO(given),
        )


def get(person: User, path: str) -> Any:
    return Client().get(path, headers=auth_header(person))


def post(person: User, path: str) -> Any:
    return Client().post(path, "{}", content_type="application/json", headers=auth_header(person))


def test_an_operation_is_accepted_runs_and_shows_its_result(person: User) -> None:
    operation = start(person, work.count, upto=3)
    answer = accepted(RequestFactory().get("/"), operation)

    assert answer.status_code == 202
    assert answer["Location"] == f"{PLACE}{operation.pk}/"
    assert int(answer["Retry-After"]) > 0
    waiting = get(person, answer["Location"]).json()
    assert (waiting["state"], waiting["result"], waiting["file"]) == ("queued", None, None)

    run_waiting_jobs()

    found = get(person, answer["Location"]).json()
    assert (found["state"], found["result"]) == ("succeeded", {"counted": 3})
    assert found["finished_at"] is not None
    assert [one["id"] for one in get(person, PLACE).json()["data"]] == [str(operation.pk)]


def test_only_who_asked_and_who_may_see_all_see_it(person: User) -> None:
    operation = start(person, work.count, upto=1)
    place = f"{PLACE}{operation.pk}/"
    stranger, owner = make_user("other@example.org"), make_owner()

    assert get(stranger, place).status_code == 404
    assert post(stranger, f"{place}cancel/").status_code == 404
    assert get(stranger, PLACE).json()["data"] == []
    assert Client().get(place).status_code == 401
    assert get(owner, place).status_code == 200
    assert post(owner, f"{place}cancel/").status_code == 200


def test_what_a_call_would_have_answered_is_for_who_asked_alone(person: User) -> None:
    operation = start(person, work.count, upto=1)
    run_waiting_jobs()
    place, overseer = f"{PLACE}{operation.pk}/", make_user("sees@example.org")
    grant(overseer, "platform_core.view_operation")

    assert get(person, place).json()["result"] == {"counted": 1}
    for found in (get(overseer, place).json(), *get(overseer, PLACE).json()["data"]):
        assert found["state"] == "succeeded"
        assert "result" not in found
    assert get(overseer, f"{place}?fields=result").json() == {}


def test_a_refusal_becomes_the_problem_and_nothing_stays(person: User) -> None:
    operation = start(person, work.refuse)

    run_waiting_jobs()

    found = get(person, f"{PLACE}{operation.pk}/").json()
    assert found["state"] == "failed"
    assert (found["problem"]["status"], found["problem"]["code"]) == (409, "cannot_be")
    assert found["problem"]["request_id"] == "the-request"
    assert not OrgUnit.objects.filter(name="never seen").exists()


def test_a_failure_tells_an_error_id_and_nothing_of_the_error(person: User) -> None:
    operation = start(person, work.crash)

    run_waiting_jobs()

    found = get(person, f"{PLACE}{operation.pk}/")
    assert found.json()["problem"]["code"] == "internal_error"
    assert found.json()["problem"]["error_id"]
    assert found.json()["file"] is None
    assert b"hunter2" not in found.content


def test_who_was_suspended_in_between_gets_nothing_done(person: User) -> None:
    operation = start(person, work.count, upto=1)
    User.objects.filter(pk=person.pk).update(suspended_at=timezone.now())

    run_waiting_jobs()

    operation.refresh_from_db()
    assert operation.state == "failed"
    assert operation.problem["status"] == 403
    assert not OrgUnit.objects.filter(name="counted 1").exists()


def test_a_function_that_nobody_marked_is_not_run(person: User) -> None:
    function = BackgroundFunction(function=work.unmarked, atomic=True)
    operation = start(person, function)

    run_waiting_jobs()

    operation.refresh_from_db()
    assert operation.state == "failed"


def test_a_cancelled_operation_never_runs(person: User) -> None:
    operation = start(person, work.count, upto=1)

    answer = post(person, f"{PLACE}{operation.pk}/cancel/")

    assert (answer.status_code, answer.json()["state"]) == (200, "cancelled")
    assert run_waiting_jobs() == 0
    again = post(person, f"{PLACE}{operation.pk}/cancel/")
    assert (again.status_code, again.json()["code"]) == (409, "not_possible")


def test_a_file_goes_in_and_one_comes_out_for_the_owner_alone(person: User, data_dir: Path) -> None:
    operation = start(person, work.shout, b"quiet")
    folder = folder_of(operation.pk)

    run_waiting_jobs()

    found = get(person, f"{PLACE}{operation.pk}/").json()["file"]
    assert (found["name"], found["type"], found["size"]) == ("loud.txt", "text/plain", 5)
    answer = get(person, found["url"])
    assert b"".join(answer.streaming_content) == b"QUIET"
    assert answer["Content-Disposition"] == 'attachment; filename="loud.txt"'
    wrong = post(person, found["url"])
    assert (wrong.status_code, wrong["Allow"]) == (405, "GET, HEAD")
    assert get(make_owner(), found["url"]).status_code == 404
    assert Client().get(found["url"]).status_code == 401
    assert Client().post(found["url"], headers=auth_header(person)).status_code == 405
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_what_expired_is_forgotten_with_its_files(person: User, data_dir: Path) -> None:
    operation = start(person, work.shout, b"quiet")
    run_waiting_jobs()
    Operation.objects.filter(pk=operation.pk).update(expires_at=timezone.now())

    forget_expired.func()

    assert not Operation.objects.filter(pk=operation.pk).exists()
    assert get(person, f"{PLACE}{operation.pk}/file/").status_code == 404
    assert not folder_of(operation.pk).exists()


def test_arguments_that_are_too_large_are_refused_with_a_way_out(person: User) -> None:
    from platform_core.errors import Invalid

    with pytest.raises(Invalid, match="in parts"):
        start(person, work.count, upto=1, text="x" * 300_000)

    assert not settings.PLATFORM_DATA_DIR.joinpath("operations").exists()
