"""All states of identity, education and a stranger's plugin that their dependencies allow: each boots and migrates."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.deployments import TestDeployment, new_deployment, write_distribution

MODELS = '''\
from django.db import models

from platform_core.models import BaseModel


class Club(BaseModel):
    """Somebody's club, which belongs to a unit of identity's."""

    name = models.CharField(max_length=50)
    unit = models.ForeignKey("identity.OrgUnit", models.SET_NULL, null=True, blank=True)
'''
HOOKS = """\
from rest_framework.response import Response
from rest_framework.views import APIView

from platform_core.contributions import SIGNED_IN, Route
from platform_core.hookspecs import hookimpl


class Hello(APIView):
    def get(self, request):
        return Response({"hello": "there"})


@hookimpl
def routes():
    return [Route(path="hello/", name="hello", access=SIGNED_IN, view=Hello.as_view())]
"""
STATES = ("enabled", "dormant", "absent")
COMBINATIONS = list(itertools.product(STATES, STATES))
PROBE = """\
import json, sys
from platform_core.cli.boot import boot
boot()
from django.test import Client
print(json.dumps({path: Client().get(path, headers={"host": "localhost"}).status_code for path in sys.argv[1:]}))
"""


@pytest.fixture
def deployment(tmp_path: Path) -> Iterator[TestDeployment]:
    with new_deployment(tmp_path / "site") as made:
        made.path.append(
            write_distribution(
                tmp_path / "wheels",
                "clubs",
                requires=["platform-core>=0.1", "platform-identity>=0.1"],
                files={"models.py": MODELS, "hooks.py": HOOKS, "migrations/__init__.py": ""},
            )
        )
        yield made


def in_state(states: dict[str, str], state: str) -> list[str]:
    return [slug for slug, own in states.items() if own == state]


def write_migration(deployment: TestDeployment) -> None:
    """Make the stranger's first migration the way its author would."""
    deployment.write(plugins=["identity", "clubs"])
    made = run_python(
        deployment,
        "from platform_core.cli.boot import boot\nboot()\n"
        "from django.core.management import call_command\ncall_command('makemigrations', 'clubs', verbosity=0)",
    )
    assert made == ""


def run_python(deployment: TestDeployment, code: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=deployment.folder,
        env=deployment.environment(DJANGO_SETTINGS_MODULE="settings"),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize(("education", "clubs"), COMBINATIONS)
def test_a_combination_boots_and_migrates(
    deployment: TestDeployment, education: str, clubs: str
) -> None:
    write_migration(deployment)
    states = {"identity": "enabled", "education": education, "clubs": clubs}
    deployment.write(plugins=in_state(states, "enabled"), dormant=in_state(states, "dormant"))

    migrated = deployment.call("migrate", "--json")
    checked = deployment.call("check", "--json")
    paths = ["/api/v1/identity/me/", "/api/v1/education/students/", "/api/v1/clubs/hello/"]
    answers = json.loads(run_python(deployment, PROBE, *paths))

    assert migrated.code == 0, migrated.out
    assert checked.code == 0, checked.out
    open_when_enabled = {"enabled": 401, "dormant": 404, "absent": 404}
    assert list(answers.values()) == [401, open_when_enabled[education], open_when_enabled[clubs]]
    with psycopg.connect(deployment.database_url) as connection:
        tables = {
            row[0] for row in connection.execute("SELECT relname FROM pg_class WHERE relkind = 'r'")
        }
        ledger = dict(
            connection.execute("SELECT slug, state FROM platform_core_pluginrecord").fetchall()
        )
    assert ("education_student" in tables) == (education != "absent")
    assert ("clubs_club" in tables) == (clubs != "absent")
    assert ledger == {slug: state for slug, state in states.items() if state != "absent"}


@pytest.mark.parametrize(
    ("plugins", "dormant"),
    [(["education"], []), (["clubs"], ["identity"]), ([], ["identity", "education"])],
)
def test_a_combination_that_the_dependencies_forbid_is_refused(
    deployment: TestDeployment, plugins: list[str], dormant: list[str]
) -> None:
    deployment.write(plugins=plugins, dormant=dormant)

    answer = deployment.call("migrate", "--json")

    assert answer.code == 1
    assert {problem["code"] for problem in answer.problems} <= {
        "requirement_not_enabled",
        "user_model_dormant",
        "no_user_model",
    }


def test_a_dormant_plugins_rows_neither_block_a_deletion_nor_change(
    deployment: TestDeployment,
) -> None:
    write_migration(deployment)
    assert deployment.call("migrate").code == 0
    unit, club = uuid.uuid4(), uuid.uuid4()
    with psycopg.connect(deployment.database_url) as connection:
        connection.execute(
            "INSERT INTO identity_orgunit (id, name, kind, path, created_at, updated_at, version) "
            "VALUES (%s, 'North', '', %s, now(), now(), 1)",
            (unit, [unit]),
        )
        connection.execute(
            "INSERT INTO clubs_club (id, name, unit_id, created_at, updated_at, version) "
            "VALUES (%s, 'Chess', %s, now(), now(), 1)",
            (club, unit),
        )
    delete = (
        "import sys\nfrom platform_core.cli.boot import boot\nboot()\n"
        "from platform_identity.models import OrgUnit\nOrgUnit.objects.get(pk=sys.argv[1]).delete()"
    )
    deployment.write(plugins=["identity"], dormant=["clubs"])

    run_python(deployment, delete, str(unit))

    with psycopg.connect(deployment.database_url) as connection:
        row = connection.execute("SELECT unit_id, version FROM clubs_club").fetchone()
        gone = connection.execute("SELECT deleted_at FROM identity_orgunit").fetchone()
    assert row == (unit, 1)
    assert gone is not None
    assert gone[0] is not None
