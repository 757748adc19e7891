"""An enrolment that comes back is told of alike, whoever brings it back."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from platform_core.models import EventRecord
from platform_education.events import EnrollmentRestored
from platform_education.models import CourseEnrollment, SectionEnrollment
from platform_education.services import withdraw

from .people import with_role

pytestmark = pytest.mark.django_db
DAY = datetime.date(2026, 11, 20)


def enrollment_of(school: str) -> CourseEnrollment:
    return CourseEnrollment.objects.filter(offering__school__sourced_id=school).earliest("id")


def restored() -> list[tuple[UUID, int, dict[str, Any]]]:
    """Return id, sequence and payload of each event that an enrolment is back."""
    told = EventRecord.objects.filter(name=EnrollmentRestored.name).order_by("occurred_at", "id")
    return [(UUID(one.payload["enrollment"]), one.sequence, one.payload) for one in told]


@pytest.mark.parametrize("model", [CourseEnrollment, SectionEnrollment])
@pytest.mark.parametrize("way", ["a call", "a bulk call", "an import"])
def test_whoever_brings_an_enrolment_back_tells_of_it_alike(
    imported: Path, run: Any, model: Any, way: str
) -> None:
    registrar = with_role("registrar", None)
    path = "course-enrollments" if model is CourseEnrollment else "section-enrollments"
    gone = model.objects.order_by("id")[0]
    before = EventRecord.objects.count()
    gone.delete()
    assert EventRecord.objects.count() == before

    if way == "a call":
        assert registrar.post(f"{path}/{gone.pk}/restore/", {}).status_code == 200
    elif way == "a bulk call":
        items = {"items": [{"id": str(gone.pk)}]}
        assert registrar.post(f"{path}/bulk/restore/", items).json()["succeeded"] == 1
    else:
        report = run(imported)
        assert (report.problems, report.updated[model.__name__]) == ((), 1)

    ((pk, sequence, payload),) = restored()
    place = gone.offering_id if model is CourseEnrollment else gone.section_id
    kept = payload["course_offering" if model is CourseEnrollment else "class_section"]
    assert (pk, sequence, payload["student"]) == (gone.pk, 2, str(gone.student_id))
    assert (kept, payload["is_enrolled"]) == (str(place), True)
    assert EventRecord.objects.count() == before + 1
    assert model.objects.filter(pk=gone.pk).exists()


def test_an_import_tells_of_a_restored_enrolment_as_the_set_has_it(
    imported: Path, run: Any
) -> None:
    gone = CourseEnrollment.objects.order_by("id")[0]
    wanted = gone.begin_date
    CourseEnrollment.objects.filter(pk=gone.pk).update(begin_date=datetime.date(2020, 1, 1))
    gone.delete()
    run(imported)
    ((_pk, _sequence, payload),) = restored()
    assert payload["begin_date"] == wanted.isoformat()


def test_a_withdrawn_enrolment_that_comes_back_is_still_withdrawn(imported: Path) -> None:
    gone = withdraw(enrollment=enrollment_of("school-0"), on_date=DAY)
    gone.delete()
    person = with_role("registrar", "school-0")
    assert person.post(f"course-enrollments/{gone.pk}/restore/", {}).status_code == 200
    assert [payload["is_enrolled"] for _pk, _sequence, payload in restored()] == [False]


def test_what_is_only_tried_or_refused_tells_of_nothing(imported: Path, run: Any) -> None:
    gone = enrollment_of("school-0")
    gone.delete()
    path = f"course-enrollments/{gone.pk}/restore/"
    assert with_role("registrar", "school-0").post(f"{path}?dry_run=true", {}).status_code == 200
    assert with_role("teacher", "school-0").post(path, {}).status_code == 403
    run(imported, dry_run=True)
    assert restored() == []
