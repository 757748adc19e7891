"""Withdrawing in the background: 202, and everything judged again when it runs."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from platform_core.models import Operation
from platform_core.testing.jobs import run_waiting_jobs
from platform_education.models import CourseEnrollment
from platform_education.services import withdraw
from platform_identity.models import RoleAssignment, User

from .people import Person, with_role

pytestmark = pytest.mark.django_db
DAY = datetime.date(2026, 11, 20)
BODY = {"on_date": DAY.isoformat()}
LATER = {"prefer": "respond-async"}


@pytest.fixture
def enrollment(imported: Path) -> CourseEnrollment:
    return CourseEnrollment.objects.filter(offering__school__sourced_id="school-0").earliest("id")


@pytest.fixture
def registrar(imported: Path) -> Person:
    return with_role("registrar", "school-0")


def path_of(enrollment: CourseEnrollment) -> str:
    return f"course-enrollments/{enrollment.pk}/withdraw/"


def ask(person: Person, enrollment: CourseEnrollment, **headers: str) -> Any:
    return person.post(path_of(enrollment), BODY, **{**LATER, **headers})


def test_it_is_accepted_and_done_later(registrar: Person, enrollment: CourseEnrollment) -> None:
    answer = ask(registrar, enrollment)

    assert answer.status_code == 202
    assert answer["Preference-Applied"] == "respond-async"
    assert int(answer["Retry-After"]) > 0
    assert answer.json()["kind"] == "education.withdraw_courseenrollment"
    enrollment.refresh_from_db()
    assert enrollment.is_enrolled

    assert run_waiting_jobs() == 1

    done = registrar.client.get(answer["Location"], headers=registrar.headers).json()
    assert (done["state"], done["result"]["status"]) == ("succeeded", "withdrawn")
    latest = enrollment.history.latest()
    assert (latest.actor_kind, latest.actor_id) == ("user", registrar.user.pk)
    assert latest.request_id


@pytest.mark.parametrize(("body", "status"), [({}, 422), ({"on_date": "soon"}, 422), (BODY, 404)])
def test_what_cannot_be_is_refused_at_once(
    imported: Path, enrollment: CourseEnrollment, body: dict[str, str], status: int
) -> None:
    person = with_role("registrar", "school-0" if status == 422 else "school-1")

    assert person.post(path_of(enrollment), body, **LATER).status_code == status
    assert not Operation.objects.exists()


def test_without_the_preference_it_is_done_at_once(
    registrar: Person, enrollment: CourseEnrollment
) -> None:
    assert registrar.post(path_of(enrollment), BODY).status_code == 200


def test_a_trial_is_answered_at_once_and_starts_nothing(
    registrar: Person, enrollment: CourseEnrollment
) -> None:
    answer = registrar.post(f"{path_of(enrollment)}?dry_run=true", BODY, **LATER)

    assert (answer.status_code, answer["Dry-Run"]) == (200, "true")
    assert not Operation.objects.exists()


def test_one_key_starts_one_operation(registrar: Person, enrollment: CourseEnrollment) -> None:
    first, second = (ask(registrar, enrollment, **{"idempotency-key": "once"}) for _ in range(2))

    assert second["Idempotency-Replayed"] == "true"
    assert (second.status_code, second["Location"]) == (202, first["Location"])
    assert second["Retry-After"]
    assert Operation.objects.count() == 1


def lose_the_role(person: Person) -> None:
    RoleAssignment.objects.filter(user=person.user).update(ends_at=timezone.now())


def suspend(person: Person) -> None:
    User.objects.filter(pk=person.user.pk).update(suspended_at=timezone.now())


@pytest.mark.parametrize(("happens", "status"), [(lose_the_role, 404), (suspend, 403)])
def test_who_lost_the_right_in_between_gets_nothing_done(
    registrar: Person, enrollment: CourseEnrollment, happens: Any, status: int
) -> None:
    ask(registrar, enrollment)
    happens(registrar)

    run_waiting_jobs()

    operation = Operation.objects.get()
    assert (operation.state, operation.problem["status"]) == ("failed", status)
    enrollment.refresh_from_db()
    assert enrollment.is_enrolled


def test_who_may_still_see_but_no_longer_do_it_gets_403(
    registrar: Person, enrollment: CourseEnrollment
) -> None:
    ask(registrar, enrollment)
    lose_the_role(registrar)
    with_role("teacher", "school-0", user=registrar.user)

    run_waiting_jobs()

    assert Operation.objects.get().problem["code"] == "permission_denied"
    assert Operation.objects.get().problem["status"] == 403


def test_another_state_of_the_row_is_412_when_it_runs(
    registrar: Person, enrollment: CourseEnrollment
) -> None:
    tag = registrar.get(f"course-enrollments/{enrollment.pk}/")["ETag"]
    assert ask(registrar, enrollment, **{"if-match": tag}).status_code == 202
    CourseEnrollment.objects.get(pk=enrollment.pk).save()

    run_waiting_jobs()

    assert Operation.objects.get().problem["status"] == 412


def test_what_was_done_in_between_is_409(registrar: Person, enrollment: CourseEnrollment) -> None:
    ask(registrar, enrollment)
    withdraw(enrollment=enrollment, on_date=DAY)

    run_waiting_jobs()

    assert Operation.objects.get().problem["code"] == "not_possible"
