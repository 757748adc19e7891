"""Made-up OneRoster sets of any size, the same every time: for tests, demo data and benchmarks."""

from __future__ import annotations

import csv
import datetime
import itertools
import random
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

HEADERS = {
    "manifest.csv": "propertyName,value",
    "orgs.csv": "sourcedId,status,dateLastModified,name,type,identifier,parentSourcedId",
    "academicSessions.csv": (
        "sourcedId,status,dateLastModified,title,type,startDate,endDate,parentSourcedId,schoolYear"
    ),
    "courses.csv": (
        "sourcedId,status,dateLastModified,schoolYearSourcedId,title,courseCode,grades,"
        "orgSourcedId,subjects,subjectCodes"
    ),
    "classes.csv": (
        "sourcedId,status,dateLastModified,title,grades,courseSourcedId,classCode,classType,"
        "location,schoolSourcedId,termSourcedIds,subjects,subjectCodes,periods"
    ),
    "users.csv": (
        "sourcedId,status,dateLastModified,enabledUser,orgSourcedIds,role,username,userIds,"
        "givenName,familyName,middleName,identifier,email,sms,phone,agentSourcedIds,grades,password"
    ),
    "enrollments.csv": (
        "sourcedId,status,dateLastModified,classSourcedId,schoolSourcedId,userSourcedId,role,"
        "primary,beginDate,endDate"
    ),
    "demographics.csv": (
        "sourcedId,status,dateLastModified,birthDate,sex,americanIndianOrAlaskaNative,asian,"
        "blackOrAfricanAmerican,nativeHawaiianOrOtherPacificIslander,white,"
        "demographicRaceTwoOrMoreRaces,hispanicOrLatinoEthnicity,countryOfBirthCode,"
        "stateOfBirthAbbreviation,cityOfBirth,publicSchoolResidenceStatus"
    ),
}
"""The header of each file, as OneRoster 1.1 orders it."""

FILES = tuple(file for file in HEADERS if file != "manifest.csv")

SCHOOL_NAMES = (
    "Lindenhof School",
    "École Simone Veil",
    "Riverside Community School",
    "Colegio Gabriela Mistral",
    "Istanbul Street Academy",
    "Nelson Mandela School",
    "Sakura Park School",
    "Marie Curie Lyceum",
)
GIVEN_NAMES = (
    "Aïcha", "Amara", "Anna", "Arjun", "Ayşe", "Björn", "Camille", "Chinedu", "Daniela", "Emre",
    "Fatima", "Giulia", "Hanna", "Hiroshi", "Ines", "Jakub", "Joana", "Kofi", "Lars", "Leïla",
    "Léo", "Lucía", "Mai", "Malik", "Mateo", "Mei", "Mila", "Mohammed", "Nadia", "Noah",
    "Olena", "Oskar", "Paulo", "Priya", "Rania", "Samuel", "Sofia", "Tariq", "Thi", "Yusuf",
    "Zoë",
)  # fmt: skip
FAMILY_NAMES = (
    "Adeyemi", "Andersson", "Bakker", "Becker", "Benali", "Chen", "Costa", "Delacroix", "Demir",
    "Diallo", "Dubois", "Fernández", "Garcia", "Haddad", "Hoffmann", "Ivanov", "Jansen", "Jensen",
    "Kaya", "Khan", "Kim", "Kowalski", "Kumar", "Lefèvre", "Mbeki", "Moreau", "Müller", "Nakamura",
    "Nguyễn", "Novák", "O’Connor", "Okafor", "Oliveira", "Papadopoulos", "Patel", "Popescu",
    "Rossi", "Santos", "Schmidt", "Shevchenko", "Silva", "Singh", "Tanaka", "Traoré", "Weiß",
    "Yılmaz",
)  # fmt: skip
SUBJECTS = (
    ("Mathematics", "MAT"),
    ("English", "ENG"),
    ("French", "FRE"),
    ("Biology", "BIO"),
    ("History", "HIS"),
    ("Music", "MUS"),
)
CLASS_SIZE = 25
HOMEROOM_SIZE = 20

Cells = Sequence[object]


def write_oneroster_set(
    folder: Path,
    *,
    schools: int = 2,
    students: int = 60,
    courses_per_student: int = 3,
    first_year: int = 2026,
    seed: int = 1,
) -> dict[str, int]:
    """Write a valid OneRoster 1.1 CSV set into ``folder``; return the number of rows of each file.

    One district, ``schools`` schools and ``students`` students in all, with homerooms, ``courses_per_student``
    course enrolments each (at most 6), one teacher for each course offering and demographics. Equal arguments give equal files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    made = _Set(schools, students, courses_per_student, first_year, random.Random(seed))  # noqa: S311  # nosec B311
    write_table(folder, "manifest.csv", made.manifest())
    return {file: write_table(folder, file, rows) for file, rows in made.tables()}


def write_table(folder: Path, file: str, rows: Iterable[Cells]) -> int:
    """Write one file of a set under its standard header and return the number of rows."""
    count = 0
    with (folder / file).open("w", encoding="utf-8", newline="") as stream:
        stream.write(HEADERS[file] + "\n")
        writer = csv.writer(stream, lineterminator="\n")
        for count, row in enumerate(rows, start=1):  # noqa: B007 - used after the loop
            writer.writerow(row)
    return count


class _Set:
    """The rows of a made-up set, made file by file so that large ones need little memory."""

    def __init__(
        self, schools: int, students: int, courses: int, first_year: int, chance: random.Random
    ) -> None:
        self.schools = schools
        self.students = students
        self.courses = min(courses, len(SUBJECTS))
        self.year = first_year
        self.chance = chance
        self.begin = datetime.date(first_year, 9, 1)
        self.end = datetime.date(first_year + 1, 6, 30)

    def manifest(self) -> Iterator[Cells]:
        yield ("manifest.version", "1.0")
        yield ("oneroster.version", "1.1")
        for file in FILES:
            yield (f"file.{file.removesuffix('.csv')}", "bulk")
        yield ("file.results", "absent")

    def tables(self) -> Iterator[tuple[str, Iterable[Cells]]]:
        yield "orgs.csv", self.orgs()
        yield "academicSessions.csv", self.sessions()
        yield "courses.csv", self.course_rows()
        yield "classes.csv", self.classes()
        yield "users.csv", self.users()
        yield "enrollments.csv", self.enrollments()
        yield "demographics.csv", self.demographics()

    def orgs(self) -> Iterator[Cells]:
        yield ("district", "", "", "Lakeside District", "district", "D1", "")
        for number in range(self.schools):
            name = SCHOOL_NAMES[number % len(SCHOOL_NAMES)]
            if number >= len(SCHOOL_NAMES):
                name = f"{name} {number // len(SCHOOL_NAMES) + 1}"
            yield (school_id(number), "", "", name, "school", f"S{number + 1}", "district")

    def sessions(self) -> Iterator[Cells]:
        ends = self.year + 1
        title = f"{self.year}/{ends}"
        yield ("year", "", "", title, "schoolYear", self.begin, self.end, "", ends)
        middle = datetime.date(ends, 1, 31)
        halves = (
            ("autumn", "Autumn", self.begin, middle),
            ("spring", "Spring", middle + datetime.timedelta(days=1), self.end),
        )
        for sourced_id, name, start, end in halves:
            row = (sourced_id, "", "", f"{name} {title}", "semester", start, end, "year", ends)
            yield row

    def course_rows(self) -> Iterator[Cells]:
        for name, code in SUBJECTS:
            yield (f"course-{code}", "", "", "year", name, code, "7,8,9", "district", name, code)

    def classes(self) -> Iterator[Cells]:
        for school in range(self.schools):
            for group in range(self.groups(school, HOMEROOM_SIZE)):
                yield (
                    f"home-{school}-{group}", "", "", f"Class {7 + group % 3}{_letter(group // 3)}",
                    str(7 + group % 3), "", "", "homeroom", f"R{group + 1}", school_id(school),
                    "year", "", "", "",
                )  # fmt: skip
            for (name, code), group in itertools.product(
                SUBJECTS, range(self.groups(school, CLASS_SIZE))
            ):
                yield (
                    class_id(school, code, group), "", "", f"{name} {group + 1}", "7,8,9",
                    f"course-{code}", f"{code}-{group + 1}", "scheduled", f"Room {group + 1}",
                    school_id(school), "autumn,spring", name, code, str(group % 6 + 1),
                )  # fmt: skip

    def users(self) -> Iterator[Cells]:
        for number in range(self.students):
            school = number % self.schools
            yield self._user(
                student_id(number), "student", school, str(7 + self._homeroom(number) % 3)
            )
        for school in range(self.schools):
            for _subject, code in SUBJECTS:
                yield self._user(teacher_id(school, code), "teacher", school, "")

    def _user(self, sourced_id: str, role: str, school: int, grades: str) -> Cells:
        given, family = self.chance.choice(GIVEN_NAMES), self.chance.choice(FAMILY_NAMES)
        email = f"{sourced_id}@school.example"
        return (
            sourced_id, "", "", "true", school_id(school), role, sourced_id, "", given, family,
            "", sourced_id.upper(), email, "", "", "", grades, "",
        )  # fmt: skip

    def enrollments(self) -> Iterator[Cells]:
        for number in range(self.students):
            school, place = number % self.schools, number // self.schools
            user = student_id(number)
            yield self._place(
                f"e-{user}-home", f"home-{school}-{place // HOMEROOM_SIZE}", school, user, "student"
            )
            for subject in range(self.courses):
                code = SUBJECTS[(number + subject) % len(SUBJECTS)][1]
                class_ = class_id(school, code, place // CLASS_SIZE)
                yield self._place(f"e-{user}-{code}", class_, school, user, "student")
        for school in range(self.schools):
            for group in range(self.groups(school, HOMEROOM_SIZE)):
                code = SUBJECTS[group % len(SUBJECTS)][1]
                class_, user = f"home-{school}-{group}", teacher_id(school, code)
                yield self._place(f"t-{class_}", class_, school, user, "teacher")
            for (_name, code), group in itertools.product(
                SUBJECTS, range(self.groups(school, CLASS_SIZE))
            ):
                class_ = class_id(school, code, group)
                yield self._place(
                    f"t-{class_}", class_, school, teacher_id(school, code), "teacher"
                )

    def _place(self, sourced_id: str, class_: str, school: int, user: str, role: str) -> Cells:
        primary = "true" if role == "teacher" else ""
        return (
            sourced_id, "", "", class_, school_id(school), user, role, primary, self.begin, self.end,
        )  # fmt: skip

    def demographics(self) -> Iterator[Cells]:
        for number in range(self.students):
            born = datetime.date(self.year - 14, 1, 1) + datetime.timedelta(
                days=self.chance.randrange(3 * 365)
            )
            sex = self.chance.choice(("female", "male", ""))
            yield (student_id(number), "", "", born, sex, *[""] * 11)

    def groups(self, school: int, size: int) -> int:
        """Return how many groups of ``size`` the students of a school make."""
        here = len(range(school, self.students, self.schools))
        return -(-here // size)

    def _homeroom(self, number: int) -> int:
        return number // self.schools // HOMEROOM_SIZE


def school_id(number: int) -> str:
    """Return the sourcedId of a school, counted from 0."""
    return f"school-{number}"


def student_id(number: int) -> str:
    """Return the sourcedId of a student, counted from 0; students take turns between the schools."""
    return f"student-{number:06d}"


def teacher_id(school: int, code: str) -> str:
    """Return the sourcedId of a school's teacher of a subject."""
    return f"teacher-{school}-{code.lower()}"


def class_id(school: int, code: str, group: int) -> str:
    """Return the sourcedId of a course offering."""
    return f"class-{school}-{code}-{group}"


def _letter(number: int) -> str:
    """Return A, B, … Z, then A1 and so on."""
    turn, letter = divmod(number, 26)
    return chr(ord("A") + letter) + (str(turn) if turn else "")
