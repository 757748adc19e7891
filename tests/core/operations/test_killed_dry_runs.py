"""A dry run whose worker is killed halfway leaves nothing, and another worker does it from the start."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.core.operations.traces import changed, contents
from tests.core.tasks.ground import STALLED_S, Ground, kill, until
from tests.deployments import ROOT, new_deployment

ROWS = 1_500
OF_WORKERS = frozenset(
    {"platform_core_scheduletick", "platform_core_settingdigest", "platform_core_auditseal"}
)
"""Where any worker writes, whatever it works on."""
WAITING = (
    "SELECT 1 FROM procrastinate_jobs WHERE status IN ('todo', 'doing') "
    "UNION ALL SELECT 1 FROM platform_core_eventdelivery"
)
SCHOOL = """
import django; django.setup()
from platform_education.models import School, Student
from platform_identity.testing import make_owner, make_unit
school = School.objects.create(name="S", unit=make_unit("S"))
Student.objects.create(given_name="A", family_name="B", school=school, sourced_id="another")
print(make_owner("owner@example.org").pk, school.pk)
"""
START = """
import django, io; django.setup()
from uuid import UUID
from platform_core.access import Actor, acting_as
from platform_core.operations import start_operation
from platform_core.operations.importing import import_file
lines = ["given_name,family_name,school,sourced_id"]
lines += [f"Given {{number}},Family,{school},{{number}}" for number in range({rows})]
lines[3] = "Given,Family,nowhere,nobody"
with acting_as(Actor(UUID("{owner}"), "user"), request_id="r"):
    print(start_operation(
        import_file,
        {{"slug": "education", "name": "students", "options": {{"format": "csv"}}, "strict": False}},
        kind="education.students.import", plugin="education", dry_run=True,
        input_file=io.BytesIO("\\n".join(lines).encode()),
    ).pk)
"""
CANCEL = """
import django; django.setup()
from django.db import transaction
from platform_core.models import Operation
from platform_core.operations.starting import cancel_operation
with transaction.atomic():
    cancel_operation(Operation.objects.select_for_update().get(pk="{operation}"))
"""


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """Return a deployment with education."""
    with new_deployment(tmp_path_factory.mktemp("dry") / "deployment") as deployment:
        deployment.path += [ROOT, ROOT / "plugins" / "identity", ROOT / "plugins" / "education"]
        deployment.write(
            plugins=["identity", "education"], sections=f"task_stalled_after = {STALLED_S}\n"
        )
        done = deployment.call("migrate")
        assert done.code == 0, done.err
        yield Ground(deployment)


@pytest.fixture(scope="module")
def owner_and_school(ground: Ground) -> tuple[str, str]:
    owner, school = said(ground, SCHOOL).split()
    with ground.worker():  # those who hear of new people have heard before anything is compared
        until(lambda: not ground.query(WAITING))
    return owner, school


def said(ground: Ground, code: str) -> str:
    answer = ground.deployment.run_python(code)
    assert answer.code == 0, answer.err
    return answer.out.strip().splitlines()[-1] if answer.out.strip() else ""


def start(ground: Ground, owner_and_school: tuple[str, str]) -> str:
    owner, school = owner_and_school
    return said(ground, START.format(owner=owner, school=school, rows=ROWS))


def found(ground: Ground, operation: str) -> tuple[Any, ...]:
    columns = "state, result, file_token FROM platform_core_operation WHERE id = %s"
    return ground.query(f"SELECT {columns}", operation)[0]


@contextmanager
def held_up(ground: Ground) -> Iterator[None]:
    """Let a run wait at its last row during the block: whether its key is taken is open until then, and it is not."""
    with psycopg.connect(ground.deployment.database_url) as other:
        other.execute(
            "UPDATE education_student SET sourced_id = %s WHERE sourced_id = 'another'",
            [str(ROWS - 1)],
        )
        yield
        other.rollback()


def signs_of_life(ground: Ground) -> Any:
    return ground.query("SELECT max(last_heartbeat) FROM procrastinate_workers")


def halfway(ground: Ground, operation: str) -> Any:
    """Return what the worker has told of its progress, once rows are written and not yet undone."""
    return ground.query(
        "SELECT 1 FROM platform_core_operation AS o JOIN platform_core_taskrecord AS r USING (job_id) "
        "WHERE o.id = %s AND progress_done > 0 AND progress_done < progress_total",
        operation,
    )


def files(ground: Ground, operation: str) -> list[str]:
    folder = Path(ground.deployment.folder, "var", "operations", operation)
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def test_a_killed_dry_run_is_done_by_another_worker_and_leaves_its_report_alone(
    ground: Ground, owner_and_school: tuple[str, str]
) -> None:
    before = contents(ground.query)
    operation = start(ground, owner_and_school)
    with held_up(ground):
        first = ground.start_worker()
        until(lambda: halfway(ground, operation))

        kill(first)

    assert changed(ground.query, before) <= OF_WORKERS
    with ground.worker():
        until(lambda: found(ground, operation)[0] == "succeeded", within_s=120)
    _state, result, token = found(ground, operation)
    counts = result if isinstance(result, dict) else json.loads(result)
    assert (counts["rows"], counts["created"], counts["failed"]) == (ROWS, ROWS - 1, 1)
    assert changed(ground.query, before) <= OF_WORKERS
    assert files(ground, operation) == [f"result-{token}"]


def test_a_dry_run_that_is_cancelled_while_it_runs_leaves_nothing(
    ground: Ground, owner_and_school: tuple[str, str]
) -> None:
    before = contents(ground.query)
    operation = start(ground, owner_and_school)
    with ground.worker():
        with held_up(ground):
            until(lambda: halfway(ground, operation))
            said(ground, CANCEL.format(operation=operation))
            for _ in range(2):  # it looks for what was cancelled after each sign of life
                last = signs_of_life(ground)
                until(lambda last=last: signs_of_life(ground) != last)
        until(lambda: found(ground, operation)[0] == "cancelled", within_s=120)
    assert found(ground, operation)[1:] == (None, "")
    assert changed(ground.query, before) <= OF_WORKERS
    assert files(ground, operation) == []
