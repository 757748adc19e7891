"""The import as a whole: one set, one transaction, all or nothing."""

from __future__ import annotations

from pathlib import Path

from django.db import IntegrityError, connection, transaction
from django.utils.translation import gettext as _

from platform_core.contributions import ImportProgress, ImportReport
from platform_core.models import DeletionBlocked
from platform_education.importers.oneroster.calendar import Calendar
from platform_education.importers.oneroster.checks import RosterChecks
from platform_education.importers.oneroster.problems import Problems
from platform_education.importers.oneroster.rosters import Roster, read_roster
from platform_education.importers.oneroster.source import SourceError, open_source
from platform_education.importers.oneroster.writing import RosterWriter

IMPORT_LOCK = 7_301_442_961_084_115_301
"""Number of the advisory lock that an import holds; any constant that nobody else uses."""


def import_oneroster(path: Path, *, dry_run: bool, progress: ImportProgress) -> ImportReport:
    """Load the OneRoster 1.1 CSV set at ``path``, a folder or a zip archive, in one transaction.

    Nothing is written when there is any problem, and all problems that can be found are reported together. Rows
    that a set does not mention are left alone; rows marked ``tobedeleted`` are deleted softly and counted as updated.
    A dry run does everything and rolls it back. Imports wait for one another.
    """
    problems = Problems()
    try:
        with open_source(path) as source:
            roster = read_roster(source, problems, progress)
    except SourceError as error:
        problems.add(path.name, 0, "", str(error))
        return ImportReport(problems=problems.listed())
    with transaction.atomic():
        _wait_for_others(progress)
        report = _check_and_write(roster, problems, progress)
        if dry_run or report.problems:
            transaction.set_rollback(True)
    return report


def _check_and_write(roster: Roster, problems: Problems, progress: ImportProgress) -> ImportReport:
    calendar = Calendar(roster.sessions.rows)
    RosterChecks(roster, calendar, problems).run()
    if problems:
        return ImportReport(problems=problems.listed())
    try:
        with transaction.atomic():
            report = RosterWriter(roster, calendar, progress).run().report()
            _check_deferred_constraints()
        return report
    except DeletionBlocked as error:
        problems.add("", 0, "status", _("A row to be deleted cannot be: %s") % error.message)
    except IntegrityError as error:
        diagnosis = getattr(error.__cause__, "diag", None)
        message = _("The database refused it (%s); somebody changed data meanwhile, run it again.")
        problems.add("", 0, "", message % getattr(diagnosis, "constraint_name", ""))
    return ImportReport(problems=problems.listed())


def _check_deferred_constraints() -> None:
    """Let PostgreSQL judge foreign keys now, so that a dry run knows what a real one would find."""
    connection.check_constraints()


def _wait_for_others(progress: ImportProgress) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [IMPORT_LOCK])
        row = cursor.fetchone()
        if row is not None and row[0]:
            return
        progress(_("Waiting for another import"), 0, 0)
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [IMPORT_LOCK])
