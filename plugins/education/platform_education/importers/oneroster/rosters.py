"""A whole set in memory: the typed rows of each file."""

from __future__ import annotations

from dataclasses import dataclass, field

from platform_core.contributions import ImportProgress
from platform_education.importers.oneroster.manifest import files_to_read
from platform_education.importers.oneroster.problems import Problems
from platform_education.importers.oneroster.reading import AnyRow, Readout, read_rows
from platform_education.importers.oneroster.source import Source
from platform_education.importers.oneroster.tables import (
    ClassRow,
    CourseRow,
    DemographicsRow,
    EnrollmentRow,
    OrgRow,
    SessionRow,
    UserRow,
)


@dataclass(slots=True, kw_only=True)
class Roster:
    """The rows of a set, by file; a file that is not announced has none."""

    orgs: Readout[OrgRow] = field(default_factory=lambda: Readout([]))
    sessions: Readout[SessionRow] = field(default_factory=lambda: Readout([]))
    courses: Readout[CourseRow] = field(default_factory=lambda: Readout([]))
    classes: Readout[ClassRow] = field(default_factory=lambda: Readout([]))
    users: Readout[UserRow] = field(default_factory=lambda: Readout([]))
    enrollments: Readout[EnrollmentRow] = field(default_factory=lambda: Readout([]))
    demographics: Readout[DemographicsRow] = field(default_factory=lambda: Readout([]))


def read_roster(source: Source, problems: Problems, progress: ImportProgress) -> Roster:
    """Read every announced file of ``source``; what is wrong with a row by itself is noted in ``problems``."""
    files = files_to_read(source, problems)

    def read(row_class: type[AnyRow]) -> Readout[AnyRow]:
        file = row_class.FILE
        if file not in files:
            return Readout([], is_complete=not problems)
        with source.open(file) as stream:
            found = read_rows(row_class, stream, problems, lambda done: progress(file, done, 0))
        progress(file, len(found.rows), len(found.rows))
        return found

    return Roster(
        orgs=read(OrgRow),
        sessions=read(SessionRow),
        courses=read(CourseRow),
        classes=read(ClassRow),
        users=read(UserRow),
        enrollments=read(EnrollmentRow),
        demographics=read(DemographicsRow),
    )
