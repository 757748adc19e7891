"""The files of a OneRoster 1.1 set: one typed row class each, with the columns that are read.

Source: IMS OneRoster 1.1 CSV tables. Columns that are named in ``IGNORED`` belong to the format and are not kept.
"""
# ruff: noqa: RUF009 - cell() returns a dataclass field

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import ClassVar

from platform_education.importers.oneroster.cells import (
    address,
    cell,
    day,
    moment,
    one_of,
    text,
    texts,
    truth,
    year,
)

ACTIVE = "active"
TO_BE_DELETED = "tobedeleted"
SCHOOL = "school"
SCHOOL_YEAR = "schoolYear"
HOMEROOM = "homeroom"
STUDENT = "student"
TEACHER = "teacher"
ROLES = (
    "administrator",
    "aide",
    "guardian",
    "parent",
    "proctor",
    "relative",
    STUDENT,
    TEACHER,
)


@dataclass(slots=True, kw_only=True)
class Row:
    """A row of any file; ``number`` counts from 1 below the header."""

    FILE: ClassVar[str]
    IGNORED: ClassVar[frozenset[str]] = frozenset()

    number: int = 0
    sourced_id: str = cell("sourcedId", text(255), empty="", required=True)
    status: str = cell("status", one_of((ACTIVE, TO_BE_DELETED)), empty=ACTIVE)
    modified: str = cell("dateLastModified", moment, empty="")

    @property
    def is_live(self) -> bool:
        """Tell whether the row is to be kept and not deleted."""
        return self.status == ACTIVE


@dataclass(slots=True, kw_only=True)
class OrgRow(Row):
    """A school or an organisation above schools."""

    FILE: ClassVar[str] = "orgs.csv"

    name: str = cell("name", text(200), empty="", required=True)
    type: str = cell(
        "type",
        one_of(("department", SCHOOL, "district", "local", "state", "national")),
        empty="",
        required=True,
    )
    identifier: str = cell("identifier", text(255), empty="")
    parent: str = cell("parentSourcedId", text(255), empty="")


@dataclass(slots=True, kw_only=True)
class SessionRow(Row):
    """A school year or a part of one."""

    FILE: ClassVar[str] = "academicSessions.csv"

    title: str = cell("title", text(255), empty="", required=True)
    type: str = cell(
        "type",
        one_of(("gradingPeriod", "semester", SCHOOL_YEAR, "term")),
        empty="",
        required=True,
    )
    start_date: datetime.date = cell("startDate", day, required=True)
    end_date: datetime.date = cell("endDate", day, required=True)
    parent: str = cell("parentSourcedId", text(255), empty="")
    school_year: int = cell("schoolYear", year, empty=0, required=True)


@dataclass(slots=True, kw_only=True)
class CourseRow(Row):
    """An entry of a course catalogue."""

    FILE: ClassVar[str] = "courses.csv"

    school_year: str = cell("schoolYearSourcedId", text(255), empty="")
    title: str = cell("title", text(255), empty="", required=True)
    course_code: str = cell("courseCode", text(255), empty="")
    grades: tuple[str, ...] = cell("grades", texts(), empty=())
    org: str = cell("orgSourcedId", text(255), empty="", required=True)
    subjects: tuple[str, ...] = cell("subjects", texts(), empty=())
    subject_codes: tuple[str, ...] = cell("subjectCodes", texts(), empty=())


@dataclass(slots=True, kw_only=True)
class ClassRow(Row):
    """A course offering or a homeroom."""

    FILE: ClassVar[str] = "classes.csv"

    title: str = cell("title", text(255), empty="", required=True)
    grades: tuple[str, ...] = cell("grades", texts(), empty=())
    course: str = cell("courseSourcedId", text(255), empty="", in_header=True)
    class_code: str = cell("classCode", text(255), empty="")
    type: str = cell("classType", one_of(("scheduled", HOMEROOM)), empty="", required=True)
    location: str = cell("location", text(255), empty="")
    school: str = cell("schoolSourcedId", text(255), empty="", required=True)
    terms: tuple[str, ...] = cell("termSourcedIds", texts(), empty=(), required=True)
    subjects: tuple[str, ...] = cell("subjects", texts(), empty=())
    subject_codes: tuple[str, ...] = cell("subjectCodes", texts(), empty=())
    periods: tuple[str, ...] = cell("periods", texts(), empty=())


@dataclass(slots=True, kw_only=True)
class UserRow(Row):
    """A person; only students and teachers are kept, and passwords of nobody."""

    FILE: ClassVar[str] = "users.csv"
    IGNORED: ClassVar[frozenset[str]] = frozenset({"userIds", "agentSourcedIds", "password"})

    enabled: bool = cell("enabledUser", truth, empty=True)
    orgs: tuple[str, ...] = cell("orgSourcedIds", texts(), empty=(), required=True)
    role: str = cell("role", one_of(ROLES), empty="", required=True)
    username: str = cell("username", text(255), empty="")
    given_name: str = cell("givenName", text(150), empty="", required=True)
    family_name: str = cell("familyName", text(150), empty="", required=True)
    middle_name: str = cell("middleName", text(150), empty="")
    identifier: str = cell("identifier", text(255), empty="")
    email: str = cell("email", address, empty="")
    sms: str = cell("sms", text(50), empty="")
    phone: str = cell("phone", text(50), empty="")
    grades: tuple[str, ...] = cell("grades", texts(), empty=())


@dataclass(slots=True, kw_only=True)
class EnrollmentRow(Row):
    """A student's or teacher's place in a class."""

    FILE: ClassVar[str] = "enrollments.csv"

    class_: str = cell("classSourcedId", text(255), empty="", required=True)
    school: str = cell("schoolSourcedId", text(255), empty="", required=True)
    user: str = cell("userSourcedId", text(255), empty="", required=True)
    role: str = cell("role", one_of(ROLES), empty="", required=True)
    primary: bool = cell("primary", truth, empty=False)
    begin_date: datetime.date | None = cell("beginDate", day)
    end_date: datetime.date | None = cell("endDate", day)


@dataclass(slots=True, kw_only=True)
class DemographicsRow(Row):
    """Personal data about a person; ``sourced_id`` is the person's."""

    FILE: ClassVar[str] = "demographics.csv"

    birth_date: datetime.date | None = cell("birthDate", day)
    sex: str = cell("sex", one_of(("male", "female")), empty="")
    american_indian_or_alaska_native: bool | None = cell("americanIndianOrAlaskaNative", truth)
    asian: bool | None = cell("asian", truth)
    black_or_african_american: bool | None = cell("blackOrAfricanAmerican", truth)
    native_hawaiian_or_other_pacific_islander: bool | None = cell(
        "nativeHawaiianOrOtherPacificIslander", truth
    )
    white: bool | None = cell("white", truth)
    two_or_more_races: bool | None = cell("demographicRaceTwoOrMoreRaces", truth)
    hispanic_or_latino_ethnicity: bool | None = cell("hispanicOrLatinoEthnicity", truth)
    country_of_birth_code: str = cell("countryOfBirthCode", text(10), empty="")
    state_of_birth_abbreviation: str = cell("stateOfBirthAbbreviation", text(50), empty="")
    city_of_birth: str = cell("cityOfBirth", text(255), empty="")
    public_school_residence_status: str = cell("publicSchoolResidenceStatus", text(255), empty="")


ROW_CLASSES: tuple[type[Row], ...] = (
    OrgRow,
    SessionRow,
    CourseRow,
    ClassRow,
    UserRow,
    EnrollmentRow,
    DemographicsRow,
)
