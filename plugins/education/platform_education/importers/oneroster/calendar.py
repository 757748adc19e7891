"""Which academic year a session belongs to: by its parents, or else by the year that it names."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from dataclasses import dataclass

from platform_education.importers.oneroster.tables import SCHOOL_YEAR, SessionRow
from platform_education.models import AcademicYear, Term


@dataclass(frozen=True, slots=True)
class Session:
    """What has to be known of a session to place it; ``year`` is given for terms that are stored already."""

    type: str
    parent: str
    school_year: int
    start_date: datetime.date
    end_date: datetime.date
    year: str | None = None


class Calendar:
    """The sessions of a set and of the database, by sourcedId; the set's come first."""

    def __init__(self, rows: Iterable[SessionRow]) -> None:
        self._sessions = _stored_sessions()
        for row in rows:
            if row.is_live:
                self._sessions[row.sourced_id] = Session(
                    row.type, row.parent, row.school_year, row.start_date, row.end_date
                )
            else:
                self._sessions.pop(row.sourced_id, None)

    def __contains__(self, sourced_id: str) -> bool:
        return sourced_id in self._sessions

    def is_year(self, sourced_id: str) -> bool:
        """Tell whether the session is a school year."""
        return self._sessions[sourced_id].type == SCHOOL_YEAR

    def goes_round(self, sourced_id: str) -> bool:
        """Tell whether the session is, through its parents, a part of itself."""
        above, seen = self._sessions[sourced_id].parent, {sourced_id}
        while above and above in self._sessions:
            if above in seen:
                return True
            seen.add(above)
            above = self._sessions[above].parent
        return False

    def year_of(self, sourced_id: str) -> str | None:
        """Return the sourcedId of the session's academic year, or ``None`` when it cannot be told."""
        here, seen = sourced_id, set[str]()
        while here in self._sessions and here not in seen:
            session = self._sessions[here]
            if session.type == SCHOOL_YEAR:
                return here
            if session.year is not None:
                return session.year
            if not session.parent:
                return self._year_by_number(session)
            seen.add(here)
            here = session.parent
        return None

    def _year_by_number(self, session: Session) -> str | None:
        found = {
            sourced_id: year
            for sourced_id, year in self._sessions.items()
            if year.type == SCHOOL_YEAR and year.school_year == session.school_year
        }
        if len(found) > 1:
            found = {
                sourced_id: year
                for sourced_id, year in found.items()
                if year.start_date <= session.start_date and session.end_date <= year.end_date
            }
        return next(iter(found)) if len(found) == 1 else None


def _stored_sessions() -> dict[str, Session]:
    years = {
        sourced_id: Session(SCHOOL_YEAR, "", school_year, start, end)
        for sourced_id, school_year, start, end in AcademicYear.objects.values_list(
            "sourced_id", "school_year", "start_date", "end_date"
        )
    }
    terms = {
        sourced_id: Session(kind, parent or "", 0, start, end, year)
        for sourced_id, kind, parent, start, end, year in Term.objects.values_list(
            "sourced_id",
            "kind",
            "parent__sourced_id",
            "start_date",
            "end_date",
            "academic_year__sourced_id",
        )
    }
    return {**years, **terms}
