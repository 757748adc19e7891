"""Sets that are wrong: each fault is named with file, row and column, and nothing is written."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from platform_core.contributions import ImportProblem, ImportReport
from platform_education.importers.oneroster import problems as problem_list
from platform_education.importers.oneroster import source
from platform_education.models import AcademicYear, Organisation, School, Student
from platform_identity.testing import make_unit

from .sets import append, drop_column, drop_row, edit, read, rename_column, write

pytestmark = pytest.mark.django_db
Run = Callable[..., ImportReport]
Break = Callable[[Path], None]


def refused(report: ImportReport) -> list[ImportProblem]:
    """Assert that nothing was written and return the problems."""
    assert report.problems
    assert not report.created
    for model in (School, Organisation, AcademicYear, Student):
        assert not model.all_objects.exists()
    unit = type(make_unit("probe"))
    assert unit.all_objects.count() == 1
    return list(report.problems)


def place(problem: ImportProblem) -> tuple[str, int, str]:
    return problem.file, problem.row, problem.column


@pytest.mark.parametrize(
    ("file", "row", "column", "value", "said"),
    [
        ("users.csv", 1, "role", "wizard", "is not one of"),
        ("users.csv", 2, "sourcedId", "", "is empty"),
        ("users.csv", 2, "familyName", "", "is empty"),
        ("users.csv", 2, "email", "nobody", "no e-mail address"),
        ("users.csv", 2, "enabledUser", "maybe", "neither true nor false"),
        ("users.csv", 2, "givenName", "x" * 151, "longer than 150"),
        ("users.csv", 2, "givenName", "a\x00b", "NUL"),
        ("users.csv", 2, "status", "gone", "is not one of"),
        ("users.csv", 2, "dateLastModified", "yesterday", "no date"),
        ("users.csv", 2, "orgSourcedIds", "school-0,school-9", "neither in orgs.csv"),
        ("users.csv", 2, "orgSourcedIds", "district", "None of these orgs is a school"),
        ("users.csv", 2, "sourcedId", "student-000000", "of row 1 too"),
        ("orgs.csv", 2, "type", "castle", "is not one of"),
        ("orgs.csv", 2, "parentSourcedId", "nowhere", "neither in orgs.csv"),
        ("orgs.csv", 1, "parentSourcedId", "school-0", "below itself"),
        ("academicSessions.csv", 2, "startDate", "01/09/2026", "no date"),
        ("academicSessions.csv", 2, "startDate", "2026-02-30", "no date"),
        ("academicSessions.csv", 2, "startDate", "", "is empty"),
        ("academicSessions.csv", 2, "endDate", "2026-01-01", "ends before"),
        ("academicSessions.csv", 2, "schoolYear", "26", "no year"),
        ("academicSessions.csv", 2, "parentSourcedId", "nowhere", "neither in academicSessions"),
        ("academicSessions.csv", 2, "parentSourcedId", "autumn", "part of itself"),
        ("courses.csv", 1, "orgSourcedId", "nowhere", "neither in orgs.csv"),
        ("courses.csv", 1, "schoolYearSourcedId", "nowhere", "neither in academicSessions"),
        ("courses.csv", 1, "schoolYearSourcedId", "autumn", "no school year"),
        ("classes.csv", 1, "schoolSourcedId", "district", "no school"),
        ("classes.csv", 1, "schoolSourcedId", "nowhere", "neither in orgs.csv"),
        ("classes.csv", 1, "termSourcedIds", "year,nowhere", "neither in academicSessions"),
        ("classes.csv", 1, "classType", "club", "is not one of"),
        ("classes.csv", 2, "courseSourcedId", "nowhere", "neither in courses.csv"),
        ("classes.csv", 2, "courseSourcedId", "", "is empty"),
        ("enrollments.csv", 1, "classSourcedId", "nowhere", "neither in classes.csv"),
        ("enrollments.csv", 1, "userSourcedId", "nobody", "neither in users.csv"),
        ("enrollments.csv", 1, "schoolSourcedId", "school-1", "at another school"),
        ("enrollments.csv", 1, "role", "teacher", "contradict"),
        ("enrollments.csv", 1, "beginDate", "soon", "no date"),
        ("enrollments.csv", 1, "endDate", "2020-01-01", "ends before"),
        ("demographics.csv", 1, "sourcedId", "nobody", "neither in users.csv"),
        ("demographics.csv", 1, "birthDate", "2012-13-01", "no date"),
        ("demographics.csv", 1, "sex", "x", "is not one of"),
        ("demographics.csv", 1, "asian", "1", "neither true nor false"),
    ],
)
def test_a_wrong_cell_is_named(
    roster: Path, run: Run, file: str, row: int, column: str, value: str, said: str
) -> None:
    edit(roster, file, row, column, value)
    found = refused(run(roster))
    assert (file, row, column) in [place(one) for one in found]
    assert any(said in one.message for one in found if place(one) == (file, row, column))


def test_a_class_in_terms_of_two_years_is_refused(roster: Path, run: Run) -> None:
    lines = read(roster, "academicSessions.csv")
    other = ["year2", "", "", "2027", "schoolYear", "2027-09-01", "2028-06-30", "", "2028"]
    write(roster, "academicSessions.csv", [*lines, other])
    edit(roster, "classes.csv", 1, "termSourcedIds", "year,year2")
    [found] = refused(run(roster))
    assert place(found) == ("classes.csv", 1, "termSourcedIds")


def test_a_term_whose_year_cannot_be_told_is_refused(roster: Path, run: Run) -> None:
    edit(roster, "academicSessions.csv", 2, "parentSourcedId", "")
    edit(roster, "academicSessions.csv", 2, "schoolYear", "2031")
    assert ("academicSessions.csv", 2, "parentSourcedId") in map(place, refused(run(roster)))


def test_bytes_that_are_not_utf_8_name_file_and_row(roster: Path, run: Run) -> None:
    path = roster / "users.csv"
    lines = path.read_bytes().split(b"\n")
    lines[4] = lines[4].replace(b"student", "stüdent".encode("latin-1"), 1)
    path.write_bytes(b"\n".join(lines))
    [found] = refused(run(roster))
    assert place(found) == ("users.csv", 4, "")
    assert "UTF-8" in found.message


def test_a_header_in_another_encoding_is_refused(roster: Path, run: Run) -> None:
    text = (roster / "orgs.csv").read_text(encoding="utf-8")
    (roster / "orgs.csv").write_bytes(text.encode("utf-16"))
    assert any(one.file == "orgs.csv" and "UTF-8" in one.message for one in refused(run(roster)))


def break_missing_column(folder: Path) -> None:
    drop_column(folder, "users.csv", "familyName")


def break_unknown_column(folder: Path) -> None:
    rename_column(folder, "users.csv", "phone", "telephone")


def break_double_column(folder: Path) -> None:
    rename_column(folder, "users.csv", "phone", "email")


def break_missing_file(folder: Path) -> None:
    (folder / "users.csv").unlink()


def break_empty_file(folder: Path) -> None:
    (folder / "users.csv").write_bytes(b"")


def break_short_row(folder: Path) -> None:
    append(folder, "users.csv", b"x,y\n")


def break_long_row(folder: Path) -> None:
    append(folder, "users.csv", b"a" + b"," * 17 + b",too much\n")


def break_open_quote(folder: Path) -> None:
    append(folder, "users.csv", b'"never closed,x\n')


def break_huge_field(folder: Path) -> None:
    append(folder, "users.csv", b"x" * 200_000 + b"\n")


def break_endless_line(folder: Path) -> None:
    append(folder, "users.csv", b"x" * (3 * 1024**2))


@pytest.mark.parametrize(
    ("spoil", "row", "column"),
    [
        (break_missing_column, 0, "familyName"),
        (break_unknown_column, 0, "telephone"),
        (break_double_column, 0, "email"),
        (break_missing_file, 0, ""),
        (break_empty_file, 0, ""),
        (break_short_row, 25, ""),
        (break_long_row, 25, ""),
        (break_open_quote, 25, ""),
        (break_huge_field, 25, ""),
        (break_endless_line, 25, ""),
    ],
)
def test_a_file_of_the_wrong_shape_is_named(
    roster: Path, run: Run, spoil: Break, row: int, column: str
) -> None:
    spoil(roster)
    found = refused(run(roster))
    assert ("users.csv", row, column) in map(place, found)
    assert {one.file for one in found} == {"users.csv"}, "what follows from it is not reported"


def test_all_problems_are_reported_together(roster: Path, run: Run) -> None:
    edit(roster, "orgs.csv", 1, "type", "castle")
    edit(roster, "users.csv", 1, "email", "nobody")
    edit(roster, "users.csv", 1, "role", "wizard")
    edit(roster, "users.csv", 7, "email", "nobody")
    edit(roster, "enrollments.csv", 5, "classSourcedId", "nowhere")
    assert [place(one) for one in refused(run(roster))] == [
        ("enrollments.csv", 5, "classSourcedId"),
        ("orgs.csv", 1, "type"),
        ("users.csv", 1, "role"),
        ("users.csv", 1, "email"),
        ("users.csv", 7, "email"),
    ]


def test_problems_beyond_the_limit_are_counted(
    roster: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(problem_list, "MAX_PROBLEMS", 2)
    for row in range(1, 6):
        edit(roster, "users.csv", row, "email", "nobody")
    found = refused(run(roster))
    assert len(found) == 3
    assert "3 more" in found[-1].message


def break_version(folder: Path) -> None:
    edit(folder, "manifest.csv", 2, "value", "1.2")


def break_mode(folder: Path) -> None:
    edit(folder, "manifest.csv", 3, "value", "all")


def break_manifest(folder: Path) -> None:
    rename_column(folder, "manifest.csv", "value", "worth")


def break_announcement(folder: Path) -> None:
    drop_row(folder, "manifest.csv", 3)


def break_no_manifest(folder: Path) -> None:
    (folder / "manifest.csv").unlink()


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (break_version, ("manifest.csv", 0, "oneroster.version")),
        (break_mode, ("manifest.csv", 0, "file.orgs")),
        (break_manifest, ("manifest.csv", 0, "")),
        (break_announcement, ("orgs.csv", 0, "")),
        (break_no_manifest, ("manifest.csv", 0, "")),
    ],
)
def test_a_wrong_manifest_is_named(
    roster: Path, run: Run, spoil: Break, expected: tuple[str, int, str]
) -> None:
    spoil(roster)
    assert [place(one) for one in refused(run(roster))] == [expected]


def test_what_is_still_in_use_cannot_be_deleted(imported: Path, run: Run) -> None:
    edit(imported, "demographics.csv", 1, "status", "tobedeleted")
    edit(imported, "users.csv", 1, "status", "tobedeleted")
    for row in range(len(read(imported, "enrollments.csv")) - 1, 0, -1):
        if read(imported, "enrollments.csv")[row][5] == "student-000000":
            drop_row(imported, "enrollments.csv", row)
    report = run(imported)
    assert "enrol" in report.problems[0].message
    assert Student.objects.count() == 12
    assert not report.updated


def test_a_school_cannot_become_a_district(imported: Path, run: Run) -> None:
    edit(imported, "orgs.csv", 2, "type", "district")
    assert ("orgs.csv", 2, "type") in map(place, run(imported).problems)


def packed(folder: Path, archive: Path, prefix: str = "") -> None:
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as target:
        for file in folder.iterdir():
            entry = zipfile.ZipInfo(prefix + file.name)
            target.writestr(entry, file.read_bytes(), zipfile.ZIP_DEFLATED)


@pytest.mark.parametrize("prefix", ["../", "/etc/", "a/../../", "C:/", "a\\b\\"])
def test_an_archive_that_leads_out_of_itself_is_refused(
    roster: Path, run: Run, tmp_path: Path, prefix: str
) -> None:
    packed(roster, tmp_path / "set.zip", prefix)
    [found] = refused(run(tmp_path / "set.zip"))
    assert (found.file, found.row) == ("set.zip", 0)


def test_an_archive_that_unpacks_to_too_much_is_refused(
    roster: Path, run: Run, tmp_path: Path
) -> None:
    append(roster, "users.csv", b"\n" * 5_000_000)
    packed(roster, tmp_path / "set.zip")
    [found] = refused(run(tmp_path / "set.zip"))
    assert "unpacks to far more" in found.message


def test_an_archive_of_too_many_files_is_refused(
    roster: Path, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "MAX_ENTRIES", 3)
    packed(roster, tmp_path / "set.zip")
    [found] = refused(run(tmp_path / "set.zip"))
    assert "too many files" in found.message


def test_an_archive_with_files_in_several_folders_or_twice_is_refused(
    roster: Path, run: Run, tmp_path: Path
) -> None:
    packed(roster, tmp_path / "set.zip")
    with zipfile.ZipFile(tmp_path / "set.zip", "a") as target:
        target.writestr("more/other.csv", "x")
    assert "several folders" in refused(run(tmp_path / "set.zip"))[0].message
    with zipfile.ZipFile(tmp_path / "set.zip", "a") as target:
        target.writestr("again/users.csv", "x")
    assert "twice" in run(tmp_path / "set.zip").problems[0].message


@pytest.mark.parametrize("content", [b"no archive", b"PK\x03\x04broken"])
def test_a_file_that_is_no_archive_is_refused(run: Run, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "set.zip").write_bytes(content)
    [found] = refused(run(tmp_path / "set.zip"))
    assert "zip" in found.message


def test_a_corrupt_archived_file_is_refused(roster: Path, run: Run, tmp_path: Path) -> None:
    archive = tmp_path / "set.zip"
    packed(roster, archive)
    with zipfile.ZipFile(archive) as opened:
        info = opened.getinfo("users.csv")
    data = bytearray(archive.read_bytes())
    start = info.header_offset + 30 + len("users.csv") + 40
    data[start : start + 20] = bytes(20)
    archive.write_bytes(data)
    assert "zip archive" in refused(run(archive))[0].message


def test_a_path_to_nothing_is_refused(run: Run, tmp_path: Path) -> None:
    assert "nothing here" in refused(run(tmp_path / "absent"))[0].message
