"""Writing of a checked roster, table by table: parents first, deletions last and in reverse."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any
from uuid import UUID

from platform_core.contributions import ImportProgress
from platform_education.importers.oneroster import synchronising
from platform_education.importers.oneroster.calendar import Calendar
from platform_education.importers.oneroster.counting import Counts
from platform_education.importers.oneroster.organisations import write_orgs
from platform_education.importers.oneroster.reading import AnyRow, Readout
from platform_education.importers.oneroster.rosters import Roster
from platform_education.importers.oneroster.tables import (
    HOMEROOM,
    STUDENT,
    TEACHER,
    ClassRow,
    CourseRow,
    DemographicsRow,
    EnrollmentRow,
    SessionRow,
    UserRow,
)
from platform_education.models import (
    AcademicYear,
    ClassSection,
    Course,
    CourseEnrollment,
    CourseOffering,
    CourseOfferingTerm,
    HomeroomAssignment,
    Organisation,
    School,
    SectionEnrollment,
    Student,
    StudentDemographics,
    Teacher,
    TeachingAssignment,
    Term,
)
from platform_education.models.base import SourcedModel

_DEMOGRAPHICS = tuple(name for name in StudentDemographics.personal_fields if name != "student")


class RosterWriter:
    """Writes one roster; ``run`` returns what was done. Call it in a transaction that has the import's lock."""

    def __init__(self, roster: Roster, calendar: Calendar, progress: ImportProgress) -> None:
        self._roster = roster
        self._calendar = calendar
        self._progress = progress
        self._ids: dict[type[SourcedModel], dict[str, UUID]] = {}
        self._counts = Counts()

    def run(self) -> Counts:
        """Write everything; raises ``DeletionBlocked`` when a row to be deleted is still in use."""
        roster = self._roster
        self._units = write_orgs(live(roster.orgs), self._counts, self._tick("School"))
        self._write_calendar()
        self._write_each(Course, roster.courses, self._course)
        self._write_classes()
        self._write_each(Student, roster.users, self._student, lambda row: row.role == STUDENT)
        self._write_each(Teacher, roster.users, self._person, lambda row: row.role == TEACHER)
        students = self._known(Student)
        self._write_each(
            StudentDemographics,
            roster.demographics,
            self._demographics,
            lambda row: row.sourced_id in students,
        )
        self._write_enrollments()
        self._delete()
        return self._counts

    def _write_calendar(self) -> None:
        sessions = list(live(self._roster.sessions))
        years = [row for row in sessions if self._calendar.is_year(row.sourced_id)]
        terms = [row for row in sessions if not self._calendar.is_year(row.sourced_id)]
        self._write(AcademicYear, {row.sourced_id: self._year(row) for row in years})
        for level in self._outer_first(terms):
            self._write(Term, {row.sourced_id: self._term(row) for row in level})

    def _outer_first(self, terms: list[SessionRow]) -> list[list[SessionRow]]:
        """Return the terms in levels, so that what a term is a part of is written before it."""
        by_id = {row.sourced_id: row for row in terms}
        levels: list[list[SessionRow]] = []
        for row in terms:
            depth, above = 0, by_id.get(row.parent)
            while above is not None:
                depth, above = depth + 1, by_id.get(above.parent)
            levels += [[] for _missing in range(depth + 1 - len(levels))]
            levels[depth].append(row)
        return levels

    def _write_classes(self) -> None:
        classes = self._roster.classes
        self._write_each(CourseOffering, classes, self._offering, lambda row: row.type != HOMEROOM)
        self._write_each(ClassSection, classes, self._section, lambda row: row.type == HOMEROOM)
        self._write_offering_terms([row for row in live(classes) if row.type != HOMEROOM])

    def _write_enrollments(self) -> None:
        sections = self._known(ClassSection)
        for model, role, homeroom, values in (
            (CourseEnrollment, STUDENT, False, self._place),
            (SectionEnrollment, STUDENT, True, self._place),
            (TeachingAssignment, TEACHER, False, self._charge),
            (HomeroomAssignment, TEACHER, True, self._charge),
        ):
            self._write_each(
                model,
                self._roster.enrollments,
                values,
                lambda row, role=role, homeroom=homeroom: (  # type: ignore[misc]  # mypy infers no defaults
                    row.role == role and (row.class_ in sections) == homeroom
                ),
            )

    # What each row says about its columns

    def _year(self, row: SessionRow) -> dict[str, Any]:
        return {
            "title": row.title,
            "school_year": row.school_year,
            "start_date": row.start_date,
            "end_date": row.end_date,
        }

    def _term(self, row: SessionRow) -> dict[str, Any]:
        # The parent of a term may be its school year, which is not a term.
        within = row.parent if row.parent and not self._calendar.is_year(row.parent) else ""
        year = self._calendar.year_of(row.sourced_id)
        return {
            "academic_year_id": self._id(AcademicYear, year or ""),
            "parent_id": self._id(Term, within) if within else None,
            "title": row.title,
            "kind": row.type,
            "start_date": row.start_date,
            "end_date": row.end_date,
        }

    def _course(self, row: CourseRow) -> dict[str, Any]:
        year = row.school_year
        return {
            "unit_id": self._units.get(row.org),
            "academic_year_id": self._id(AcademicYear, year) if year else None,
            "title": row.title,
            "course_code": row.course_code,
            "grades": list(row.grades),
            "subjects": list(row.subjects),
            "subject_codes": list(row.subject_codes),
        }

    def _class(self, row: ClassRow) -> dict[str, Any]:
        year = self._calendar.year_of(row.terms[0])
        return {
            "school_id": self._id(School, row.school),
            "academic_year_id": self._id(AcademicYear, year or ""),
            "title": row.title,
            "class_code": row.class_code,
            "location": row.location,
            "grades": list(row.grades),
        }

    _section = _class

    def _offering(self, row: ClassRow) -> dict[str, Any]:
        return {
            **self._class(row),
            "course_id": self._id(Course, row.course),
            "subjects": list(row.subjects),
            "subject_codes": list(row.subject_codes),
            "periods": list(row.periods),
        }

    def _person(self, row: UserRow) -> dict[str, Any]:
        schools = self._known(School)
        return {
            "school_id": next(schools[org] for org in row.orgs if org in schools),
            "given_name": row.given_name,
            "middle_name": row.middle_name,
            "family_name": row.family_name,
            "username": row.username,
            "identifier": row.identifier,
            "email": row.email,
            "phone": row.phone or row.sms,
            "is_enabled": row.enabled,
        }

    def _student(self, row: UserRow) -> dict[str, Any]:
        return {**self._person(row), "grades": list(row.grades)}

    def _demographics(self, row: DemographicsRow) -> dict[str, Any]:
        values = {name: getattr(row, name) for name in _DEMOGRAPHICS}
        return {"student_id": self._id(Student, row.sourced_id), **values}

    def _place(self, row: EnrollmentRow) -> dict[str, Any]:
        return {"student_id": self._id(Student, row.user), **self._class_and_dates(row)}

    def _charge(self, row: EnrollmentRow) -> dict[str, Any]:
        return {
            "teacher_id": self._id(Teacher, row.user),
            "is_primary": row.primary,
            **self._class_and_dates(row),
        }

    def _class_and_dates(self, row: EnrollmentRow) -> dict[str, Any]:
        section = self._known(ClassSection).get(row.class_)
        if section is not None:
            place = {"section_id": section}
        else:
            place = {"offering_id": self._id(CourseOffering, row.class_)}
        return {**place, "begin_date": row.begin_date, "end_date": row.end_date}

    # Writing

    def _write_each(
        self,
        model: type[SourcedModel],
        readout: Readout[AnyRow],
        values: Callable[[AnyRow], dict[str, Any]],
        belongs: Callable[[AnyRow], bool] | None = None,
    ) -> None:
        rows = (row for row in live(readout) if belongs is None or belongs(row))
        self._write(model, {row.sourced_id: values(row) for row in rows})

    def _write(self, model: type[SourcedModel], wanted: Mapping[str, dict[str, Any]]) -> None:
        tick = self._tick(model.__name__)
        ids = synchronising.synchronise(model, wanted, self._counts, tick)
        self._known(model).update(ids)

    def _write_offering_terms(self, rows: list[ClassRow]) -> None:
        terms, offerings = self._known(Term), self._known(CourseOffering)
        wanted = {
            (offerings[row.sourced_id], terms[term])
            for row in rows
            for term in row.terms
            if term in terms
        }
        stored: dict[tuple[UUID, UUID], UUID] = {}
        for keys in synchronising.batches([offerings[row.sourced_id] for row in rows], 2_000):
            found = CourseOfferingTerm.objects.filter(offering__in=keys)
            stored |= {
                (offering, term): pk
                for offering, term, pk in found.values_list("offering_id", "term_id", "pk")
            }
        new = [
            CourseOfferingTerm(offering_id=offering, term_id=term)
            for offering, term in sorted(wanted - stored.keys())
        ]
        for batch in synchronising.batches(new, synchronising.BATCH):
            CourseOfferingTerm.objects.bulk_create(batch)
        gone = [pk for key, pk in stored.items() if key not in wanted]
        CourseOfferingTerm.objects.filter(pk__in=gone).delete()
        self._counts.add(
            CourseOfferingTerm.__name__,
            created=len(new),
            updated=len(gone),
            unchanged=len(stored.keys() & wanted),
        )

    def _delete(self) -> None:
        roster = self._roster
        users, classes = dead(roster.users), dead(roster.classes)
        sessions, orgs = dead(roster.sessions), dead(roster.orgs)
        CourseOfferingTerm.objects.filter(offering__sourced_id__in=classes).delete()
        models: tuple[tuple[type[SourcedModel], list[str]], ...] = (
            (StudentDemographics, [*dead(roster.demographics), *users]),
            (HomeroomAssignment, dead(roster.enrollments)),
            (TeachingAssignment, dead(roster.enrollments)),
            (SectionEnrollment, dead(roster.enrollments)),
            (CourseEnrollment, dead(roster.enrollments)),
            (Teacher, users),
            (Student, users),
            (ClassSection, classes),
            (CourseOffering, classes),
            (Course, dead(roster.courses)),
            (Term, sessions),
            (AcademicYear, sessions),
            (School, orgs),
            (Organisation, orgs),
        )
        for model, sourced_ids in models:
            synchronising.delete(model, sourced_ids, self._counts)

    # Ids

    def _known(self, model: type[SourcedModel]) -> dict[str, UUID]:
        """Return the ids of the live rows of ``model`` by sourcedId; what is written is added."""
        if model not in self._ids:
            self._ids[model] = dict(model.objects.values_list("sourced_id", "pk"))
        return self._ids[model]

    def _id(self, model: type[SourcedModel], sourced_id: str) -> UUID:
        return self._known(model)[sourced_id]

    def _tick(self, step: str) -> synchronising.Tick:
        return lambda done, total: self._progress(step, done, total)


def live(readout: Readout[AnyRow]) -> Iterable[AnyRow]:
    """Return the rows that are to be kept."""
    return (row for row in readout.rows if row.is_live)


def dead(readout: Readout[AnyRow]) -> list[str]:
    """Return the sourcedIds of the rows that are to be deleted."""
    return [row.sourced_id for row in readout.rows if not row.is_live]
