"""The checks between rows: every reference leads somewhere, to the right kind of thing, and dates are in order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from django.utils.translation import gettext as _

from platform_education.importers.oneroster.calendar import Calendar
from platform_education.importers.oneroster.problems import Problems
from platform_education.importers.oneroster.reading import Readout
from platform_education.importers.oneroster.rosters import Roster
from platform_education.importers.oneroster.tables import (
    HOMEROOM,
    SCHOOL,
    STUDENT,
    TEACHER,
    ClassRow,
    CourseRow,
    DemographicsRow,
    EnrollmentRow,
    OrgRow,
    Row,
    SessionRow,
    UserRow,
)
from platform_education.models import (
    ClassSection,
    Course,
    CourseOffering,
    Organisation,
    School,
    Student,
    Teacher,
)


class RosterChecks:
    """Checks a roster against itself and against what is stored; call ``run`` once.

    A reference into a file that could not be read completely is given the benefit of the doubt: the missing
    row has been noted already.
    """

    def __init__(self, roster: Roster, calendar: Calendar, problems: Problems) -> None:
        self._roster = roster
        self._calendar = calendar
        self._problems = problems
        self._stored_orgs = _stored_orgs()
        self._orgs = _index(self._stored_orgs, roster.orgs, lambda row: row.type)
        self._parents = {one.sourced_id: one.parent for one in _live(roster.orgs)}
        self._courses = _index(
            dict(Course.objects.values_list("sourced_id", "title")),
            roster.courses,
            lambda row: row.title,
        )
        self._classes = _index(
            _stored_classes(), roster.classes, lambda row: (row.type, row.school)
        )
        self._users = _stored_users()
        for user in roster.users.rows:
            roles = self._users.setdefault(user.sourced_id, set())
            if user.is_live:
                roles.add(user.role)
            else:
                roles.clear()

    def run(self) -> None:
        """Note every problem between the rows."""
        roster = self._roster
        for org in _live(roster.orgs):
            self._check_org(org)
        for session in _live(roster.sessions):
            self._check_session(session)
        for course in _live(roster.courses):
            self._check_course(course)
        for class_ in _live(roster.classes):
            self._check_class(class_)
        for user in _live(roster.users):
            self._check_user(user)
        for enrollment in _live(roster.enrollments):
            self._check_enrollment(enrollment)
        for one in _live(roster.demographics):
            self._check_demographics(one)

    def _check_org(self, row: OrgRow) -> None:
        if row.parent and row.parent not in self._orgs:
            self._dangling(row, "parentSourcedId", row.parent, "orgs.csv", self._roster.orgs)
        elif self._is_below_itself(row):
            self._note(
                row, "parentSourcedId", _("The org stands below itself; correct the parent.")
            )
        stored = self._stored_orgs.get(row.sourced_id)
        if stored is not None and (stored == SCHOOL) != (row.type == SCHOOL):
            self._note(
                row,
                "type",
                _(
                    "It is stored as another type; a school cannot become another org, or the reverse."
                ),
            )

    def _is_below_itself(self, row: OrgRow) -> bool:
        above, seen = row.parent, {row.sourced_id}
        while above:
            if above in seen:
                return True
            seen.add(above)
            above = self._parents.get(above, "")
        return False

    def _check_session(self, row: SessionRow) -> None:
        if row.end_date < row.start_date:
            self._note(row, "endDate", _("It ends before it starts."))
        if row.parent and row.parent not in self._calendar:
            self._dangling(
                row, "parentSourcedId", row.parent, "academicSessions.csv", self._roster.sessions
            )
        elif self._calendar.goes_round(row.sourced_id):
            self._note(
                row, "parentSourcedId", _("The session is a part of itself; correct the parent.")
            )
        elif self._calendar.year_of(row.sourced_id) is None and self._roster.sessions.is_complete:
            self._note(
                row,
                "parentSourcedId",
                _(
                    "Its school year cannot be told; name it, or a session within it, as the parent."
                ),
            )

    def _check_course(self, row: CourseRow) -> None:
        if row.org not in self._orgs:
            self._dangling(row, "orgSourcedId", row.org, "orgs.csv", self._roster.orgs)
        if not row.school_year:
            return
        if row.school_year not in self._calendar:
            self._dangling(
                row,
                "schoolYearSourcedId",
                row.school_year,
                "academicSessions.csv",
                self._roster.sessions,
            )
        elif not self._calendar.is_year(row.school_year):
            self._note(row, "schoolYearSourcedId", _("This session is no school year."))

    def _check_class(self, row: ClassRow) -> None:
        if row.type != HOMEROOM and not row.course:
            self._note(row, "courseSourcedId", _("It is empty and has to be given."))
        elif row.course and row.course not in self._courses:
            self._dangling(row, "courseSourcedId", row.course, "courses.csv", self._roster.courses)
        if row.school not in self._orgs:
            self._dangling(row, "schoolSourcedId", row.school, "orgs.csv", self._roster.orgs)
        elif self._orgs[row.school] != SCHOOL:
            self._note(row, "schoolSourcedId", _("This org is no school."))
        years = set()
        for term in row.terms:
            if term in self._calendar:
                years.add(self._calendar.year_of(term))
            else:
                self._dangling(
                    row, "termSourcedIds", term, "academicSessions.csv", self._roster.sessions
                )
        if len(years - {None}) > 1:
            self._note(row, "termSourcedIds", _("The terms are in different school years."))

    def _check_user(self, row: UserRow) -> None:
        for org in row.orgs:
            if org not in self._orgs:
                self._dangling(row, "orgSourcedIds", org, "orgs.csv", self._roster.orgs)
        known = [self._orgs[org] for org in row.orgs if org in self._orgs]
        if row.role in (STUDENT, TEACHER) and known and SCHOOL not in known:
            self._note(
                row, "orgSourcedIds", _("None of these orgs is a school; name the person's school.")
            )

    def _check_enrollment(self, row: EnrollmentRow) -> None:
        if row.begin_date and row.end_date and row.end_date < row.begin_date:
            self._note(row, "endDate", _("It ends before it begins."))
        roster = self._roster
        if row.class_ not in self._classes:
            self._dangling(row, "classSourcedId", row.class_, "classes.csv", roster.classes)
        elif self._classes[row.class_][1] != row.school:
            self._note(row, "schoolSourcedId", _("The class is at another school."))
        roles = self._users.get(row.user)
        if not roles:
            self._dangling(row, "userSourcedId", row.user, "users.csv", roster.users)
        elif row.role in (STUDENT, TEACHER) and row.role not in roles:
            message = _("The user is no %(role)s; role and user contradict each other.")
            self._note(row, "role", message % {"role": row.role})

    def _check_demographics(self, row: DemographicsRow) -> None:
        if not self._users.get(row.sourced_id):
            self._dangling(row, "sourcedId", row.sourced_id, "users.csv", self._roster.users)

    def _dangling(
        self, row: Row, column: str, wanted: str, file: str, target: Readout[Any]
    ) -> None:
        if target.is_complete:
            message = _("“%(id)s” is neither in %(file)s nor stored.")
            self._note(row, column, message % {"id": wanted, "file": file})

    def _note(self, row: Row, column: str, message: str) -> None:
        self._problems.add(row.FILE, row.number, column, message)


def _live(readout: Readout[Any]) -> Iterator[Any]:
    return (row for row in readout.rows if row.is_live)


def _index(stored: dict[str, Any], readout: Readout[Any], value: Any) -> dict[str, Any]:
    """Return what is known of each sourcedId once the set is imported."""
    known = dict(stored)
    for row in readout.rows:
        if row.is_live:
            known[row.sourced_id] = value(row)
        else:
            known.pop(row.sourced_id, None)
    return known


def _stored_orgs() -> dict[str, str]:
    others = dict(Organisation.objects.values_list("sourced_id", "kind"))
    schools = dict.fromkeys(School.objects.values_list("sourced_id", flat=True), SCHOOL)
    return {**others, **schools}


def _stored_classes() -> dict[str, tuple[str, str]]:
    def of(model: Any, kind: str) -> Iterable[tuple[str, tuple[str, str]]]:
        rows = model.objects.values_list("sourced_id", "school__sourced_id")
        return ((sourced_id, (kind, school)) for sourced_id, school in rows)

    return {**dict(of(CourseOffering, "scheduled")), **dict(of(ClassSection, HOMEROOM))}


def _stored_users() -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for model, role in ((Student, STUDENT), (Teacher, TEACHER)):
        for sourced_id in model.objects.values_list("sourced_id", flat=True):
            found.setdefault(sourced_id, set()).add(role)
    return found
