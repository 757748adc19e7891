"""Withdrawing a student from a class."""

from __future__ import annotations

import datetime
from pathlib import Path
from uuid import UUID

import pytest
from django.db import IntegrityError, transaction

from platform_core.models import EventRecord
from platform_education.errors import AlreadyWithdrawn, WithdrawnBeforeBeginning
from platform_education.events import EnrollmentCreated
from platform_education.models import CourseEnrollment, EnrollmentStatus, SectionEnrollment
from platform_education.services import withdraw

from .people import with_role

pytestmark = pytest.mark.django_db
DAY = datetime.date(2026, 11, 20)


def enrollment_of(school: str) -> CourseEnrollment:
    return CourseEnrollment.objects.filter(offering__school__sourced_id=school).earliest("id")


def test_a_withdrawn_enrolment_has_an_end_and_stays(imported: Path) -> None:
    done = withdraw(enrollment=enrollment_of("school-0"), on_date=DAY)
    stored = CourseEnrollment.objects.get(pk=done.pk)
    assert (stored.status, stored.end_date) == (EnrollmentStatus.WITHDRAWN, DAY)
    assert stored.version == 2


def test_nobody_is_withdrawn_twice(imported: Path) -> None:
    enrollment = enrollment_of("school-0")
    withdraw(enrollment=enrollment, on_date=DAY)
    with pytest.raises(AlreadyWithdrawn):
        withdraw(enrollment=enrollment, on_date=DAY)


def test_nobody_is_withdrawn_before_the_beginning(imported: Path) -> None:
    enrollment = enrollment_of("school-0")
    with pytest.raises(WithdrawnBeforeBeginning):
        withdraw(enrollment=enrollment, on_date=datetime.date(2026, 8, 31))
    enrollment.refresh_from_db()
    assert enrollment.is_enrolled


def test_the_database_wants_an_end_for_a_withdrawal(imported: Path) -> None:
    enrollment = enrollment_of("school-0")
    with pytest.raises(IntegrityError), transaction.atomic():
        CourseEnrollment.objects.filter(pk=enrollment.pk).update(
            status=EnrollmentStatus.WITHDRAWN, end_date=None
        )


def test_a_registrar_withdraws_through_the_api(imported: Path) -> None:
    person, enrollment = with_role("registrar", "school-0"), enrollment_of("school-0")
    path = f"course-enrollments/{enrollment.pk}/withdraw/"
    answer = person.post(path, {"on_date": DAY.isoformat()})
    assert answer.status_code == 200, answer.content
    assert (answer.json()["status"], answer.json()["end_date"]) == ("withdrawn", "2026-11-20")
    assert person.post(path, {"on_date": DAY.isoformat()}).status_code == 409


@pytest.mark.parametrize("body", [{}, {"on_date": "soon"}, {"on_date": "2026-08-31"}])
def test_a_bad_day_is_refused(imported: Path, body: dict[str, str]) -> None:
    person, enrollment = with_role("registrar", "school-0"), enrollment_of("school-0")
    answer = person.post(f"course-enrollments/{enrollment.pk}/withdraw/", body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/on_date"


def test_status_cannot_be_written_directly(imported: Path) -> None:
    person, enrollment = with_role("registrar", "school-0"), enrollment_of("school-0")
    answer = person.patch(f"course-enrollments/{enrollment.pk}/", {"status": "withdrawn"})
    assert answer.status_code == 422


def test_only_those_with_the_permission_withdraw(imported: Path) -> None:
    enrollment = enrollment_of("school-0")
    path, body = f"course-enrollments/{enrollment.pk}/withdraw/", {"on_date": DAY.isoformat()}
    assert with_role("teacher", "school-0").post(path, body).status_code == 403
    assert with_role("registrar", "school-1").post(path, body).status_code == 404
    enrollment.refresh_from_db()
    assert enrollment.is_enrolled


def test_homeroom_enrolments_are_withdrawn_alike(imported: Path) -> None:
    enrollment = SectionEnrollment.objects.filter(section__school__sourced_id="school-0")[0]
    answer = with_role("registrar", "school-0").post(
        f"section-enrollments/{enrollment.pk}/withdraw/", {"on_date": DAY.isoformat()}
    )
    assert answer.json()["status"] == "withdrawn"


def test_an_import_and_a_call_tell_of_new_enrolments(imported: Path) -> None:
    told = EventRecord.objects.filter(name=EnrollmentCreated.name)
    enrolled = {*CourseEnrollment.objects.values_list("pk", "student")} | {
        *SectionEnrollment.objects.values_list("pk", "student")
    }
    assert {
        (UUID(one.payload["enrollment"]), UUID(one.payload["student"])) for one in told
    } == enrolled
    assert {one.sequence for one in told} == {1}

    known = enrollment_of("school-0")
    body = {
        "sourced_id": "new",
        "student": str(known.student_id),
        "offering": str(known.offering_id),
    }
    answer = with_role("registrar", None).post("course-enrollments/", body)

    assert answer.status_code == 201, answer.content
    created = told.get(aggregate=f"education.enrollment:{answer.json()['id']}")
    assert created.payload["course_offering"] == str(known.offering_id)
