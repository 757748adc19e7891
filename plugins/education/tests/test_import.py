"""What an import of a sound set does, again and again."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from platform_core.contributions import ImportReport
from platform_education import models
from platform_education.importers.oneroster import synchronising
from platform_education.models import (
    ClassSection,
    Course,
    CourseEnrollment,
    CourseOffering,
    CourseOfferingTerm,
    EnrollmentStatus,
    Organisation,
    School,
    SectionEnrollment,
    Student,
    StudentDemographics,
    Teacher,
    TeachingAssignment,
    Term,
)
from platform_education.services import withdraw
from platform_education.testing import write_oneroster_set

from .sets import drop_column, edit, read, rename_column, write

pytestmark = pytest.mark.django_db
Run = Callable[..., ImportReport]
MODELS = tuple(getattr(models, name) for name in models.__all__)
TABLES = tuple(
    model
    for model in MODELS
    if hasattr(model, "_meta") and not model._meta.abstract  # noqa: SLF001
)


def versions() -> dict[Any, int]:
    return {
        (table, pk): version
        for table in TABLES
        for pk, version in table.all_objects.values_list("pk", "version")
    }


def test_every_row_of_the_files_arrives(roster: Path, run: Run) -> None:
    report = run(roster)
    assert report.problems == ()
    assert School.objects.count() == 2
    assert Organisation.objects.get().kind == "district"
    assert Student.objects.count() == 12
    assert Teacher.objects.count() == 12
    assert StudentDemographics.objects.count() == 12
    assert CourseEnrollment.objects.count() == 24
    assert SectionEnrollment.objects.count() == 12
    assert Course.objects.count() == 6
    assert CourseOffering.objects.count() == 12
    assert ClassSection.objects.count() == 2
    assert report.created["Student"] == 12
    assert report.created["OrgUnit"] == 3


def test_rows_refer_to_one_another_as_the_files_say(imported: Path) -> None:
    student = Student.objects.get(sourced_id="student-000001")
    assert student.school.sourced_id == "school-1"
    assert student.school.unit.parent.name == "Lakeside District"
    assert Term.objects.get(sourced_id="autumn").academic_year.sourced_id == "year"
    offering = CourseOffering.objects.get(sourced_id="class-0-MAT-0")
    terms = offering.offering_terms.values_list("term__sourced_id", flat=True)
    assert set(terms) == {"autumn", "spring"}
    assert offering.course.unit == Organisation.objects.get().unit
    assignment = TeachingAssignment.objects.get(offering=offering)
    assert assignment.teacher.sourced_id == "teacher-0-mat"
    assert assignment.is_primary


def test_a_second_run_changes_nothing(imported: Path, run: Run) -> None:
    before = versions()
    history = Student.history.count()
    report = run(imported)
    assert sum(report.created.values()) == 0
    assert sum(report.updated.values()) == 0
    assert report.unchanged["Student"] == 12
    assert versions() == before
    assert Student.history.count() == history


def test_a_large_set_is_compared_alike(
    imported: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(synchronising, "LARGE", 0)
    edit(imported, "users.csv", 3, "givenName", "Renée")
    report = run(imported)
    assert (sum(report.created.values()), sum(report.updated.values())) == (0, 1)


def test_of_several_deleted_rows_the_last_one_comes_back(imported: Path, run: Run) -> None:
    sourced_id = read(imported, "enrollments.csv")[2][0]
    first = CourseEnrollment.objects.get(sourced_id=sourced_id)
    first.delete()
    second = CourseEnrollment.objects.create(
        sourced_id=sourced_id, student_id=first.student_id, offering_id=first.offering_id
    )
    second.delete()
    run(imported)
    assert CourseEnrollment.objects.get(sourced_id=sourced_id).pk == second.pk


def test_a_live_row_is_preferred_to_a_deleted_one(imported: Path, run: Run) -> None:
    sourced_id = read(imported, "enrollments.csv")[2][0]
    deleted = CourseEnrollment.objects.get(sourced_id=sourced_id)
    deleted.delete()
    live = CourseEnrollment.objects.create(
        sourced_id=sourced_id,
        student_id=deleted.student_id,
        offering_id=deleted.offering_id,
        begin_date=deleted.begin_date,
        end_date=deleted.end_date,
    )
    assert sum(run(imported).updated.values()) == 0
    assert CourseEnrollment.objects.get(sourced_id=sourced_id).pk == live.pk


def test_dates_with_times_and_years_of_several_districts_are_understood(
    roster: Path, run: Run
) -> None:
    edit(roster, "users.csv", 1, "dateLastModified", "2026-09-01T08:00:00.000Z")
    edit(roster, "users.csv", 2, "dateLastModified", "2026-09-01")
    lines = read(roster, "academicSessions.csv")
    other = ["other", "", "", "Later", "schoolYear", "2027-02-01", "2027-12-31", "", "2027"]
    write(roster, "academicSessions.csv", [*lines, other])
    edit(roster, "academicSessions.csv", 2, "parentSourcedId", "")
    assert run(roster).problems == ()
    assert Term.objects.get(sourced_id="autumn").academic_year.sourced_id == "year"


def test_a_term_delta_keeps_the_stored_year(imported: Path, run: Run) -> None:
    lines = read(imported, "academicSessions.csv")
    part = ["part", "", "", "P", "gradingPeriod", "2026-09-01", "2026-10-01", "autumn", "2027"]
    write(imported, "academicSessions.csv", [lines[0], part])
    report = run(imported)
    assert report.problems == ()
    assert Term.objects.get(sourced_id="part").academic_year.sourced_id == "year"


def test_a_dry_run_reports_the_same_and_writes_nothing(roster: Path, run: Run) -> None:
    dry = run(roster, dry_run=True)
    assert not any(table.all_objects.exists() for table in TABLES)
    assert run(roster) == dry


def test_only_changed_rows_are_written_and_leave_history(imported: Path, run: Run) -> None:
    edit(imported, "users.csv", 3, "givenName", "Renée")
    report = run(imported)
    assert report.updated["Student"] == 1
    assert report.unchanged["Student"] == 11
    student = Student.objects.get(sourced_id="student-000002")
    assert (student.given_name, student.version) == ("Renée", 2)
    assert [one.history_type for one in student.history.all()] == ["~", "+"]


def test_created_rows_leave_history(imported: Path) -> None:
    assert Student.history.filter(history_type="+").count() == 12
    assert CourseEnrollment.history.count() == 24


def test_a_zip_archive_is_read_as_the_folder_is(roster: Path, run: Run, tmp_path: Path) -> None:
    archive = tmp_path / "set.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for file in roster.iterdir():
            packed.write(file, f"export/{file.name}")
    assert run(archive).created["Student"] == 12


def test_a_byte_order_mark_and_windows_line_ends_are_accepted(roster: Path, run: Run) -> None:
    for file in roster.iterdir():
        text = file.read_text(encoding="utf-8")
        file.write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    assert run(roster).problems == ()


def test_metadata_columns_and_empty_cells_beyond_the_header_are_ignored(
    roster: Path, run: Run
) -> None:
    rename_column(roster, "orgs.csv", "identifier", "metadata.city")
    lines = read(roster, "users.csv")
    write(roster, "users.csv", [lines[0], [*lines[1], ""], *lines[2:]])
    assert run(roster).problems == ()


def test_columns_may_come_in_another_order_and_optional_ones_be_absent(
    roster: Path, run: Run
) -> None:
    write(roster, "users.csv", [line[::-1] for line in read(roster, "users.csv")])
    drop_column(roster, "users.csv", "phone")
    assert run(roster).created["Student"] == 12


def test_passwords_are_not_kept_anywhere(roster: Path, run: Run) -> None:
    edit(roster, "users.csv", 1, "password", "secret-of-a-child")
    run(roster)
    values = Student.objects.filter(sourced_id="student-000000").values()[0]
    assert "secret-of-a-child" not in map(str, values.values())


def test_other_roles_are_left_out(roster: Path, run: Run) -> None:
    lines = read(roster, "users.csv")
    parent = ["p1", "", "", "", "school-0", "parent", "", "", "Ana", "Silva", *[""] * 8]
    write(roster, "users.csv", [*lines, parent])
    report = run(roster)
    assert report.problems == ()
    assert not Student.objects.filter(sourced_id="p1").exists()
    assert not Teacher.objects.filter(sourced_id="p1").exists()


def test_a_class_in_the_whole_year_has_no_terms(roster: Path, run: Run) -> None:
    header = read(roster, "classes.csv")
    row = next(n for n, line in enumerate(header) if line[7] == "scheduled")
    edit(roster, "classes.csv", row, "termSourcedIds", "year")
    assert run(roster).problems == ()
    offering = CourseOffering.objects.get(sourced_id=header[row][0])
    assert offering.academic_year.sourced_id == "year"
    assert not offering.offering_terms.exists()


def test_a_term_taken_from_a_class_disappears(imported: Path, run: Run) -> None:
    lines = read(imported, "classes.csv")
    row = next(n for n, line in enumerate(lines) if line[7] == "scheduled")
    edit(imported, "classes.csv", row, "termSourcedIds", "autumn")
    report = run(imported)
    assert report.updated["CourseOfferingTerm"] == 1
    terms = CourseOfferingTerm.objects.filter(offering__sourced_id=lines[row][0])
    assert [one.term.sourced_id for one in terms] == ["autumn"]


def test_a_term_finds_its_year_by_number_when_it_names_no_parent(roster: Path, run: Run) -> None:
    edit(roster, "academicSessions.csv", 2, "parentSourcedId", "")
    assert run(roster).problems == ()
    assert Term.objects.get(sourced_id="autumn").academic_year.sourced_id == "year"


def test_a_term_may_be_part_of_one_further_down(roster: Path, run: Run) -> None:
    edit(roster, "academicSessions.csv", 2, "parentSourcedId", "spring")
    assert run(roster).problems == ()
    autumn = Term.objects.get(sourced_id="autumn")
    assert autumn.parent.sourced_id == "spring"
    assert autumn.academic_year.sourced_id == "year"


def test_an_org_that_moves_takes_its_unit_along(imported: Path, run: Run) -> None:
    edit(imported, "orgs.csv", 3, "parentSourcedId", "school-0")
    edit(imported, "orgs.csv", 3, "name", "Annex")
    assert run(imported).updated["OrgUnit"] == 1
    unit = School.objects.get(sourced_id="school-1").unit
    assert (unit.name, unit.parent) == ("Annex", School.objects.get(sourced_id="school-0").unit)


def test_rows_marked_for_deletion_are_hidden_and_come_back(imported: Path, run: Run) -> None:
    edit(imported, "enrollments.csv", 2, "status", "tobedeleted")
    sourced_id = read(imported, "enrollments.csv")[2][0]
    report = run(imported)
    assert report.updated["CourseEnrollment"] == 1
    deleted = CourseEnrollment.all_objects.get(sourced_id=sourced_id)
    assert deleted.deleted_at is not None
    assert run(imported).updated["CourseEnrollment"] == 0
    edit(imported, "enrollments.csv", 2, "status", "active")
    assert run(imported).updated["CourseEnrollment"] == 1
    assert CourseEnrollment.objects.get(sourced_id=sourced_id).pk == deleted.pk


def test_a_student_goes_with_enrolments_and_demographics(imported: Path, run: Run) -> None:
    edit(imported, "users.csv", 1, "status", "tobedeleted")
    lines = read(imported, "enrollments.csv")
    for number, line in enumerate(lines):
        if line[5] == "student-000000":
            edit(imported, "enrollments.csv", number, "status", "tobedeleted")
    edit(imported, "demographics.csv", 1, "status", "tobedeleted")
    assert run(imported).problems == ()
    assert not Student.objects.filter(sourced_id="student-000000").exists()
    assert StudentDemographics.objects.count() == 11


def test_a_delta_may_refer_to_what_is_stored(imported: Path, run: Run) -> None:
    for file in imported.iterdir():
        if file.name not in ("manifest.csv", "users.csv"):
            file.unlink()
    lines = [
        [line[0], "absent" if line[1] == "bulk" and line[0] != "file.users" else line[1]]
        for line in read(imported, "manifest.csv")
    ]
    write(imported, "manifest.csv", lines)
    edit(imported, "manifest.csv", 7, "value", "delta")
    write(imported, "users.csv", read(imported, "users.csv")[:2])
    edit(imported, "users.csv", 1, "familyName", "Brontë")
    report = run(imported)
    assert report.problems == ()
    assert report.updated["Student"] == 1
    assert Student.objects.count() == 12


def test_a_withdrawal_recorded_here_survives_the_next_import(imported: Path, run: Run) -> None:
    enrollment = CourseEnrollment.objects.order_by("id")[0]
    day = enrollment.begin_date
    withdraw(enrollment=enrollment, on_date=day)
    assert sum(run(imported).updated.values()) == 0
    enrollment.refresh_from_db()
    assert (enrollment.status, enrollment.end_date) == (EnrollmentStatus.WITHDRAWN, day)


def test_a_school_whose_unit_is_gone_gets_a_new_one(imported: Path, run: Run) -> None:
    school = School.objects.get(sourced_id="school-0")
    School.objects.filter(pk=school.pk).update(unit=None)
    report = run(imported)
    assert report.created["OrgUnit"] == 1
    school.refresh_from_db()
    assert school.unit.name == school.name


def test_the_made_up_set_is_the_same_every_time(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_oneroster_set(tmp_path / name, schools=3, students=40)
    for file in (tmp_path / "a").iterdir():
        assert file.read_bytes() == (tmp_path / "b" / file.name).read_bytes()


def test_progress_reaches_the_end_of_every_step(roster: Path) -> None:
    from platform_education.importers.oneroster import import_oneroster

    last: dict[str, tuple[int, int]] = {}
    import_oneroster(
        roster, dry_run=False, progress=lambda step, done, total: last.update({step: (done, total)})
    )
    assert last["users.csv"] == (24, 24)
    assert all(done == total for done, total in last.values())
