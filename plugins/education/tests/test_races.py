"""What has to hold when things happen at once, or backwards; with real transactions."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import connection, connections, transaction

from platform_core.contributions import ImportReport
from platform_education.importers.oneroster.run import IMPORT_LOCK
from platform_education.models import Organisation, School, Student
from platform_identity.services import units

Run = Callable[..., ImportReport]


@pytest.mark.django_db(transaction=True)
def test_two_imports_at_once_write_everything_once(roster: Path, run: Run) -> None:
    reports: list[ImportReport] = []
    barrier = threading.Barrier(2)

    def one() -> None:
        try:
            barrier.wait(10)
            reports.append(run(roster))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=one) for _number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [report.problems for report in reports] == [(), ()]
    assert sorted(report.created["Student"] for report in reports) == [0, 12]
    assert Student.all_objects.count() == 12


@pytest.mark.django_db(transaction=True)
def test_an_import_waits_for_another_and_says_so(roster: Path) -> None:
    from platform_education.importers.oneroster import import_oneroster

    said: list[str] = []
    waiting = threading.Event()

    def progress(step: str, done: int, total: int) -> None:
        said.append(step)
        if "Waiting" in step:
            waiting.set()

    def one() -> None:
        try:
            import_oneroster(roster, dry_run=False, progress=progress)
        finally:
            connections.close_all()

    thread = threading.Thread(target=one)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [IMPORT_LOCK])
        thread.start()
        assert waiting.wait(30)
        assert "Student" not in said
    thread.join(60)
    assert Student.objects.count() == 12


@pytest.mark.django_db(transaction=True)
def test_deleting_a_unit_keeps_its_school(roster: Path, run: Run) -> None:
    run(roster)
    school = School.objects.get(sourced_id="school-0")
    school.unit.delete()
    school.refresh_from_db()
    assert school.unit is None
    assert school.deleted_at is None
    units.create_unit(name="Another")
    assert Organisation.objects.get().unit is not None


@pytest.mark.django_db(transaction=True)
def test_the_migrations_can_be_taken_back() -> None:
    def tables() -> set[str]:
        names = connection.introspection.table_names()
        return {name for name in names if name.startswith("education_")}

    before = tables()
    assert len(before) == 30
    try:
        call_command("migrate", "education", "zero", verbosity=0)
        assert tables() == set()
    finally:
        call_command("migrate", "education", verbosity=0)
    assert tables() == before
