"""What people of one school may see and do through the API, and what they may not."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.test import Client

from platform_education.models import (
    CourseEnrollment,
    CourseOffering,
    Organisation,
    School,
    SectionEnrollment,
    Student,
    StudentDemographics,
    Term,
)
from platform_education.resources import RESOURCES
from platform_identity.testing import make_unit

from .people import API, with_role, without_role

pytestmark = pytest.mark.django_db
HERE, ELSEWHERE = "school-0", "school-1"
NAMES = [one.name for one in RESOURCES]


def student_of(school: str) -> Student:
    return Student.objects.filter(school__sourced_id=school).earliest("sourced_id")


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_open_to_strangers(imported: Path, name: str) -> None:
    assert Client().get(f"{API}/{name}/").status_code == 401
    assert without_role().get(f"{name}/").status_code == 403


@pytest.mark.parametrize("role", ["viewer", "teacher", "registrar"])
def test_people_of_a_school_see_its_students_only(imported: Path, role: str) -> None:
    person = with_role(role, HERE)
    rows = person.get("students/", limit="200").json()["data"]
    assert [row["family_name"] for row in rows] == sorted(row["family_name"] for row in rows)
    assert {row["school"] for row in rows} == {str(School.objects.get(sourced_id=HERE).pk)}
    assert len(rows) == 6
    assert person.get(f"students/{student_of(HERE).pk}/").status_code == 200
    assert person.get(f"students/{student_of(ELSEWHERE).pk}/").status_code == 404
    assert person.get(f"students/{student_of(ELSEWHERE).pk}/history/").status_code == 404


@pytest.mark.parametrize("name", NAMES)
def test_a_registrar_lists_everything(imported: Path, name: str) -> None:
    answer = with_role("registrar", None).get(f"{name}/", limit="200")
    assert answer.status_code == 200
    assert answer.json()["data"], "the set has rows of every kind"


@pytest.mark.parametrize(
    ("name", "here"),
    [
        ("organisations", 0),
        ("schools", 1),
        ("course-offerings", 6),
        ("course-offering-terms", 12),
        ("class-sections", 1),
        ("teachers", 6),
        ("course-enrollments", 12),
        ("section-enrollments", 6),
        ("teaching-assignments", 6),
        ("homeroom-assignments", 1),
    ],
)
def test_a_school_sees_its_own_part(imported: Path, name: str, here: int) -> None:
    assert len(with_role("viewer", HERE).get(f"{name}/", limit="200").json()["data"]) == here


@pytest.mark.parametrize(("name", "count"), [("academic-years", 1), ("terms", 2), ("courses", 6)])
def test_calendar_and_catalogue_are_shared_by_all_schools(
    imported: Path, name: str, count: int
) -> None:
    assert len(with_role("viewer", HERE).get(f"{name}/").json()["data"]) == count


def test_a_registrar_of_a_school_cannot_change_the_shared_calendar(imported: Path) -> None:
    term = Term.objects.get(sourced_id="autumn")
    person = with_role("registrar", HERE)
    assert person.patch(f"terms/{term.pk}/", {"title": "Mine"}).status_code == 403
    term.refresh_from_db()
    assert term.title != "Mine"


@pytest.mark.parametrize("role", ["viewer", "teacher"])
def test_demographics_need_a_permission_of_their_own(imported: Path, role: str) -> None:
    person = with_role(role, HERE)
    record = StudentDemographics.objects.get(student=student_of(HERE))
    assert person.get("student-demographics/").status_code == 403
    assert person.get(f"student-demographics/{record.pk}/").status_code == 404
    registrar = with_role("registrar", HERE)
    assert len(registrar.get("student-demographics/").json()["data"]) == 6


def test_a_viewer_cannot_write(imported: Path) -> None:
    person, student = with_role("viewer", HERE), student_of(HERE)
    assert person.patch(f"students/{student.pk}/", {"given_name": "X"}).status_code == 403
    assert person.delete(f"students/{student.pk}/").status_code == 403
    assert person.post("students/", {}).status_code in (403, 422)


def test_a_registrar_enrols_changes_and_sees_history(imported: Path) -> None:
    person = with_role("registrar", HERE)
    school = School.objects.get(sourced_id=HERE)
    body = {"school": str(school.pk), "given_name": "Ada", "family_name": "Öz", "grades": ["7"]}
    created = person.post("students/", body)
    assert created.status_code == 201, created.content
    key = created.json()["id"]
    assert created.json()["sourced_id"]
    changed = person.patch(f"students/{key}/", {"given_name": "Adá"})
    assert changed.json()["version"] == 2
    kinds = [row["type"] for row in person.get(f"students/{key}/history/").json()["data"]]
    assert len(kinds) == 2


def test_a_student_cannot_be_moved_out_of_ones_reach(imported: Path) -> None:
    person, student = with_role("registrar", HERE), student_of(HERE)
    other = School.objects.get(sourced_id=ELSEWHERE)
    answer = person.patch(f"students/{student.pk}/", {"school": str(other.pk)})
    assert answer.status_code == 422, "the other school does not exist for this person"
    student.refresh_from_db()
    assert student.school.sourced_id == HERE


def test_a_move_to_a_school_that_one_only_sees_is_rolled_back(imported: Path) -> None:
    from platform_identity.models import Role
    from platform_identity.testing import auth_header, grant, make_user

    from .people import Person

    user = make_user()
    here, other = (School.objects.get(sourced_id=one) for one in (HERE, ELSEWHERE))
    grant(user, Role.objects.get(name="education.registrar"), here.unit)
    grant(user, Role.objects.get(name="education.viewer"), other.unit)
    student = student_of(HERE)
    answer = Person(auth_header(user), Client(), user).patch(
        f"students/{student.pk}/", {"school": str(other.pk)}
    )
    assert answer.status_code == 403
    student.refresh_from_db()
    assert (student.school, student.version) == (here, 1)


@pytest.mark.parametrize(("name", "model"), [("schools", School), ("organisations", Organisation)])
def test_the_unit_that_data_belongs_to_is_chosen_once(
    imported: Path, name: str, model: type[School | Organisation]
) -> None:
    person, target = with_role("registrar", None), make_unit()
    row = model.objects.earliest("sourced_id")
    answer = person.patch(f"{name}/{row.pk}/", {"unit": str(target.pk)})

    assert answer.status_code == 422
    [error] = answer.json()["errors"]
    assert error["pointer"] == "/unit"
    assert "move the unit itself" in error["detail"]
    kept = model.objects.get(pk=row.pk)
    assert (kept.unit, kept.version) == (row.unit, row.version)
    body = {"unit": str(row.unit.pk), "name": "Renamed"}
    assert person.patch(f"{name}/{row.pk}/", body).status_code == 200
    body = {"unit": str(target.pk), "name": "New", "kind": "district"}
    if model is School:
        del body["kind"]
    assert person.post(f"{name}/", body).status_code == 201


def test_a_school_without_a_unit_is_not_given_one(imported: Path) -> None:
    school = School.objects.earliest("sourced_id")
    School.objects.filter(pk=school.pk).update(unit=None)

    answer = with_role("registrar", None).patch(
        f"schools/{school.pk}/", {"unit": str(make_unit().pk)}
    )
    assert answer.status_code == 422


def test_a_registrar_cannot_add_a_student_elsewhere(imported: Path) -> None:
    other = School.objects.get(sourced_id=ELSEWHERE)
    body = {"school": str(other.pk), "given_name": "Ada", "family_name": "Öz"}
    assert with_role("registrar", HERE).post("students/", body).status_code == 422
    assert not Student.objects.filter(family_name="Öz").exists()


def test_a_student_in_use_cannot_be_deleted(imported: Path) -> None:
    answer = with_role("registrar", HERE).delete(f"students/{student_of(HERE).pk}/")
    assert answer.status_code == 409


def test_an_identifier_taken_before_is_refused(imported: Path) -> None:
    school = School.objects.get(sourced_id=HERE)
    body = {
        "school": str(school.pk),
        "given_name": "Ada",
        "family_name": "Öz",
        "sourced_id": "student-000000",
    }
    answer = with_role("registrar", HERE).post("students/", body)
    assert answer.status_code == 409
    assert answer.json()["errors"][0]["pointer"] == "/sourced_id"


def test_dates_that_contradict_each_other_are_refused(imported: Path) -> None:
    enrollment = CourseEnrollment.objects.filter(offering__school__sourced_id=HERE)[0]
    answer = with_role("registrar", HERE).patch(
        f"course-enrollments/{enrollment.pk}/", {"end_date": "2000-01-01"}
    )
    assert answer.status_code == 422
    assert "before the beginning" in answer.json()["errors"][0]["detail"]


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ({"sourced_id": "student-000002"}, 1),
        ({"search": "STUDENT-000002@school"}, 1),
        ({"email__iexact": "Student-000002@School.example"}, 1),
        ({"is_enabled": "false"}, 0),
    ],
)
def test_students_are_found_by_what_is_known(
    imported: Path, query: dict[str, str], count: int
) -> None:
    answer = with_role("viewer", None).get("students/", **query)
    assert len(answer.json()["data"]) == count


def test_enrolments_are_found_by_school_and_offering(imported: Path) -> None:
    person = with_role("viewer", None)
    school = School.objects.get(sourced_id=HERE)
    rows = person.get("course-enrollments/", offering__school=str(school.pk)).json()["data"]
    assert len(rows) == 12
    offering = CourseOffering.objects.get(sourced_id="class-0-MAT-0")
    rows = person.get("course-enrollments/", offering=str(offering.pk)).json()["data"]
    assert {row["offering"] for row in rows} == {str(offering.pk)}


def test_a_homeroom_teacher_keeps_the_class_list(imported: Path) -> None:
    person = with_role("teacher", HERE)
    row = SectionEnrollment.objects.filter(section__school__sourced_id=HERE)[0]
    assert person.delete(f"section-enrollments/{row.pk}/").status_code == 204
    other = SectionEnrollment.objects.filter(section__school__sourced_id=ELSEWHERE)[0]
    assert person.delete(f"section-enrollments/{other.pk}/").status_code == 404
