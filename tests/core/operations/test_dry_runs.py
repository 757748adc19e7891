"""Dry runs of long imports: the work of the real one by the same code, its report kept, and nothing else."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, connections
from django.test import Client
from django.utils import timezone

from platform_core.access import Actor, acting_as
from platform_core.models import AuditEvent, MailMessage, Operation
from platform_core.operations import RunningOperation, start_operation
from platform_core.operations.declaring import BackgroundFunction
from platform_core.operations.files import FOLDER
from platform_core.testing.jobs import run_waiting_jobs
from platform_education.models import (
    AcademicYear,
    Course,
    CourseEnrollment,
    CourseOffering,
    School,
    Student,
)
from platform_identity.models import RoleAssignment, User
from platform_identity.testing import auth_header, grant, make_owner, make_unit, make_user
from tests.core.operations import work
from tests.core.operations.traces import changed, contents

ENROLLMENTS = "/api/v1/education/course-enrollments/"
OPERATIONS = "/api/v1/operations/"
ROWS = 501
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def data_dir(tmp_path: Path, settings: Any) -> Path:
    settings.PLATFORM_DATA_DIR = tmp_path
    return tmp_path


def query(statement: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall()


@pytest.fixture
def place() -> CourseEnrollment:
    """Return an enrolment that exists."""
    unit = make_unit("S")
    school = School.objects.create(name="S", unit=unit)
    year = AcademicYear.objects.create(
        title="2026", school_year=2026, start_date="2026-08-01", end_date="2027-07-31"
    )
    offering = CourseOffering.objects.create(
        title="Latin",
        school=school,
        academic_year=year,
        course=Course.objects.create(title="Latin", unit=unit),
    )
    student = Student.objects.create(given_name="Ada", family_name="L", school=school)
    return CourseEnrollment.objects.create(sourced_id="e0", student=student, offering=offering)


def enrollments(place: CourseEnrollment, *, rows: int = ROWS, faults: int = 2) -> str:
    """Return a file of enrolments: the first exists and is changed, ``faults`` cannot be taken, all others are new."""
    student, offering = place.student_id, place.offering_id
    lines = [f"e{number},{student},{offering},2026-09-01" for number in range(rows)]
    for number in range(faults):
        lines[7 + number] = f"e{7 + number},nobody,{offering},2026-09-01"
    return "\r\n".join(["sourced_id,student,offering,begin_date", *lines])


class Sender:
    """Somebody who sends files and looks what became of them."""

    def __init__(self, person: User) -> None:
        self.person = person
        self.headers = auth_header(person)
        self.client = Client()

    def send(self, content: str, options: str = "dry_run=true", **headers: str) -> Any:
        return self.client.generic(
            "POST",
            f"{ENROLLMENTS}import/?mode=upsert&key=sourced_id&{options}",
            content.encode(),
            content_type="text/csv",
            headers={**self.headers, **headers},
        )

    def get(self, path: str) -> Any:
        return self.client.get(path, headers=self.headers)

    def found(self, answer: Any) -> dict[str, Any]:
        found: dict[str, Any] = self.get(answer["Location"]).json()
        return found

    def file(self, found: dict[str, Any]) -> bytes:
        return b"".join(self.get(found["file"]["url"]).streaming_content)


@pytest.fixture
def sender() -> Sender:
    return Sender(make_owner("owner@example.org"))


def test_a_long_file_is_tried_by_an_operation_that_leaves_nothing_else(
    sender: Sender, data_dir: Path, place: CourseEnrollment
) -> None:
    content = enrollments(place)
    before = contents(query)

    answer = sender.send(content)
    assert (answer.status_code, answer["Dry-Run"]) == (202, "true")
    assert answer["Location"] == f"{OPERATIONS}{answer.json()['id']}/"
    assert run_waiting_jobs() == 1  # no event is on its way to anybody

    found = sender.found(answer)
    assert (found["state"], found["dry_run"]) == ("succeeded", True), found
    assert found["result"] == {
        "rows": ROWS,
        "created": ROWS - 3,
        "updated": 1,
        "unchanged": 0,
        "failed": 2,
    }
    assert changed(query, before) == set()
    told = AuditEvent.objects.get(target_type="platform_core.operation")
    assert (told.action, told.details["dry_run"]) == ("start", True)
    assert [one.name for one in data_dir.joinpath(FOLDER).iterdir()] == [found["id"]]


def test_it_tells_what_the_real_one_then_does(sender: Sender, place: CourseEnrollment) -> None:
    content = enrollments(place)
    answers = [sender.send(content, option) for option in ("dry_run=true", "dry_run=false")]
    run_waiting_jobs()

    tried, done = map(sender.found, answers)
    assert (tried["result"], tried["kind"]) == (done["result"], done["kind"])
    assert sender.file(tried) == sender.file(done)
    assert sender.file(tried).count(b"student: ") == 2
    assert tried["file"]["name"] == done["file"]["name"]
    assert (tried["dry_run"], done["dry_run"]) == (True, False)
    assert "Dry-Run" not in answers[1]
    assert CourseEnrollment.objects.count() == ROWS - 2
    listed = sender.get(f"{OPERATIONS}?dry_run=true").json()["data"]
    assert [one["id"] for one in listed] == [tried["id"]]


def test_all_or_nothing_and_what_is_checked_at_the_end_fail_it_too(
    sender: Sender, monkeypatch: pytest.MonkeyPatch, place: CourseEnrollment
) -> None:
    strict = sender.send(enrollments(place), Prefer="handling=strict")
    assert strict["Preference-Applied"] == "handling=strict"
    too_many = sender.send("sourced_id\r\n" + "\r\n".join(map(str, range(ROWS))))
    monkeypatch.setattr("platform_core.operations.importing.MOST_IN_BACKGROUND", 500)
    run_waiting_jobs()
    assert sender.found(strict)["problem"]["code"] == "too_many_rows"
    monkeypatch.undo()
    again = sender.send(enrollments(place), Prefer="handling=strict")
    run_waiting_jobs()
    assert sender.found(again)["problem"]["code"] == "import_failed"
    assert sender.found(too_many)["state"] == "failed"


def test_a_short_file_is_tried_at_once(sender: Sender, place: CourseEnrollment) -> None:
    answer = sender.send(enrollments(place, rows=500))
    assert (answer.status_code, answer["Dry-Run"]) == (200, "true")
    assert (answer.json()["created"], answer.json()["failed"]) == (497, 2)
    later = sender.send(enrollments(place, rows=500, faults=0), Prefer="respond-async")
    assert (later.status_code, "Preference-Applied" in later) == (200, False)
    assert not Operation.objects.exists()


def test_a_key_starts_one_trial_and_leaves_the_real_call_its_own(
    sender: Sender, place: CourseEnrollment
) -> None:
    content = enrollments(place)
    first, second = (sender.send(content, **{"Idempotency-Key": "k"}) for _ in range(2))
    assert first.content == second.content
    assert second["Location"] == first["Location"]
    assert (second["Idempotency-Replayed"], second["Dry-Run"]) == ("true", "true")
    other = sender.send(content + "\r\n", **{"Idempotency-Key": "k"})
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    real = sender.send(content, "dry_run=false", **{"Idempotency-Key": "k"})
    assert real["Location"] != first["Location"]
    wrong = sender.send(content, **{"Idempotency-Key": "ä"})
    assert wrong.json()["code"] == "invalid_idempotency_key"
    assert Operation.objects.count() == 2


def test_a_trial_that_is_cancelled_before_or_while_it_runs_leaves_nothing(
    sender: Sender, monkeypatch: pytest.MonkeyPatch, data_dir: Path, place: CourseEnrollment
) -> None:
    content = enrollments(place)
    before = contents(query)
    waiting, running = sender.send(content), sender.send(content)
    sender.client.post(f"{waiting['Location']}cancel/", headers=sender.headers)
    told = RunningOperation.progress

    def cancel_halfway(self: RunningOperation, done: int, total: int = 0, note: str = "") -> None:
        if done == ROWS // 2:
            assert CourseEnrollment.objects.count() > 200
            self._context.control.cancel()
        told(self, done, total, note)

    monkeypatch.setattr(RunningOperation, "progress", cancel_halfway)
    run_waiting_jobs()

    for answer in (waiting, running):
        found = sender.found(answer)
        assert (found["state"], found["result"], found["file"]) == ("cancelled", None, None)
    assert changed(query, before) == set()
    kept = [path.name for path in data_dir.joinpath(FOLDER).glob("*/*")]
    assert kept == ["input", "input"]


def test_who_lost_the_permission_in_between_learns_nothing(place: CourseEnrollment) -> None:
    registrar = make_user("registrar@example.org")
    content = enrollments(place)
    names = ("view", "add", "change", "import")
    grant(registrar, [f"education.{name}_courseenrollment" for name in names])
    sender = Sender(registrar)
    before, partly = sender.send(content), sender.send(content)
    RoleAssignment.objects.filter(user=registrar).update(ends_at=timezone.now())
    run_waiting_jobs()

    for answer in (before, partly):
        found = sender.found(answer)
        assert (found["state"], found["problem"]["status"]) == ("failed", 403)
        assert (found["result"], found["file"]) == (None, None)
    assert sender.send(content).status_code == 403


def test_who_may_not_add_any_more_is_told_so_for_each_row(place: CourseEnrollment) -> None:
    registrar = make_user("registrar@example.org")
    content = enrollments(place, faults=0)
    names = ("view", "change", "import")
    grant(registrar, [f"education.{name}_courseenrollment" for name in names])
    grant(registrar, ["education.view_student", "education.view_courseoffering"])
    grant(registrar, ["education.add_courseenrollment"])
    sender = Sender(registrar)
    answer = sender.send(content)
    RoleAssignment.objects.filter(user=registrar).latest("created_at").delete()
    run_waiting_jobs()

    assert sender.found(answer)["result"] == {
        "rows": ROWS,
        "created": 0,
        "updated": 1,
        "unchanged": 0,
        "failed": ROWS - 1,
    }


def started(person: User, function: BackgroundFunction, *, dry_run: bool) -> Operation:
    with acting_as(Actor(person.pk, "user")):
        return start_operation(
            function, {}, kind="identity.test", plugin="identity", dry_run=dry_run
        )


@pytest.mark.parametrize("function", [work.leave_traces, work.leave_traces_freely])
def test_whatever_work_writes_is_undone(function: BackgroundFunction) -> None:
    person, _victim = make_owner("owner@example.org"), make_user("victim@example.org")
    before = contents(query)
    work.committed.clear()
    tried = started(person, function, dry_run=True)
    assert run_waiting_jobs() == 1
    tried.refresh_from_db()
    assert (tried.state, tried.result) == ("succeeded", {"mails": 1, "dry_run": True})
    assert changed(query, before) == set()

    done = started(person, function, dry_run=False)
    run_waiting_jobs()
    done.refresh_from_db()
    assert done.result == {"mails": 1, "dry_run": False}
    left = {"platform_core_event", "platform_core_mail", "platform_core_auditevent"}
    assert left <= changed(query, before)
    assert MailMessage.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_what_is_checked_at_the_commit_is_checked_and_what_follows_it_is_not_done() -> None:
    person, _victim = make_owner("owner@example.org"), make_user("victim@example.org")
    work.committed.clear()
    tried, broken = (
        started(person, function, dry_run=True)
        for function in (work.leave_traces, work.break_at_the_commit)
    )
    run_waiting_jobs()
    tried.refresh_from_db()
    broken.refresh_from_db()
    assert (tried.state, work.committed) == ("succeeded", [])
    assert (broken.state, broken.result) == ("failed", None)
    assert broken.problem["status"] == 422
    started(person, work.leave_traces, dry_run=False)
    run_waiting_jobs()
    assert work.committed == ["done"]


@pytest.mark.django_db(transaction=True)
def test_two_at_once_of_the_same_file_both_tell_the_same(
    monkeypatch: pytest.MonkeyPatch, place: CourseEnrollment
) -> None:
    sender = Sender(make_owner("owner@example.org"))
    content = enrollments(place)
    before = contents(query)
    answers = [sender.send(content) for _ in range(2)]
    barrier = threading.Barrier(2)
    told = RunningOperation.progress

    def meet(self: RunningOperation, done: int, total: int = 0, note: str = "") -> None:
        if done == 0:
            barrier.wait(10)
        told(self, done, total, note)

    def run() -> None:
        try:
            barrier.wait(30)
            run_waiting_jobs(most=5)
        finally:
            connections.close_all()

    monkeypatch.setattr(RunningOperation, "progress", meet)
    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    first, second = map(sender.found, answers)
    assert first["result"] == second["result"], (first, second)
    assert (first["result"]["created"], first["result"]["failed"]) == (ROWS - 3, 2)
    assert changed(query, before) == set()
