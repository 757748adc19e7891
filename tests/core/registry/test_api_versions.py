"""A stranger's plugin with two versions: routes, ledger, explanation, plan and sleep tell them apart."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from platform_core.registry.release_diff import changes_between
from tests.core.registry.deployments_to_look_at import MIGRATION, MODELS
from tests.deployments import TestDeployment, new_deployment, write_distribution

HOOKS = """\
import datetime

from platform_core.access import Granted, Policy
from platform_core.contributions import Permission
from platform_core.hookspecs import hookimpl
from platform_core.resource import Deprecated, ModelSerializer, Resource
from bells_plugin.models import Bell


class BellSerializer(ModelSerializer):
    class Meta:
        model = Bell
        fields = ("id", "tone")


class SecondBellSerializer(ModelSerializer):
    class Meta:
        model = Bell
        fields = ("id",)


class Bells(Resource):
    "Bells as they were."

    model, serializer_class, name, ordering = Bell, BellSerializer, "bells", "id"
    policy = Policy(view="bells.view_bell")
    actions = ("list", "retrieve")
    id_converter = "int"
    deprecated = Deprecated(
        since=datetime.date(2026, 11, 1),
        sunset=datetime.date(2040, 6, 1),
        successor="/api/v2/bells/bells/",
    )


class SecondBells(Bells):
    "Bells as they are."

    api_version = 2
    serializer_class, deprecated = SecondBellSerializer, None


@hookimpl
def permissions():
    "Looking."
    rule = Granted("bells.view_bell")
    return [Permission(name="bells.view_bell", title="Look", rule=rule, model="bells.Bell")]


@hookimpl
def resources():
    "Bells, twice."
    return [Bells, SecondBells{more}]
"""

ASK = """\
import json, sys
from pathlib import Path
from platform_core.cli import boot
from platform_core.registry.explanation import explain
from platform_core.registry.situation import look

deployment = boot.load_deployment(Path.cwd())
boot.prepare_environment(deployment)
situation = look(deployment)
rows = [row for slug, row in situation.contents() if slug == "bells"]
answers = {thing: [one.as_dict() for one in explain(situation, thing)] for thing in sys.argv[1:]}
print(json.dumps({"answers": answers, "rows": rows}, default=str))
"""
REPORT = "from platform_core.testing.boot_report import report; report()"
FIRST, SECOND = "/api/v1/bells/bells/", "/api/v2/bells/bells/"


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestDeployment]:
    folder = tmp_path_factory.mktemp("versions")
    write(folder / "wheels")
    with new_deployment(folder / "deployment", plugins=["identity", "bells"]) as made:
        made.path.append(folder / "wheels")
        done = made.call("migrate")
        assert done.code == 0, done.err
        yield made


def write(folder: Path, more: str = "") -> None:
    files = {
        "hooks.py": HOOKS.replace("{more}", more),
        "models.py": MODELS,
        "migrations/__init__.py": "",
        "migrations/0001_initial.py": MIGRATION,
    }
    write_distribution(folder, "bells", files=files)


def run(deployment: TestDeployment, code: str, *words: str, given: Any = None) -> Any:
    done = subprocess.run(
        [sys.executable, "-c", code, *words],
        cwd=deployment.folder,
        env=deployment.environment(DJANGO_SETTINGS_MODULE="settings"),
        input=json.dumps(given),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@contextmanager
def asleep(deployment: TestDeployment) -> Iterator[None]:
    deployment.write(plugins=["identity"], dormant=["bells"])
    assert deployment.call("migrate").code == 0
    try:
        yield
    finally:
        deployment.write(plugins=["identity", "bells"])
        assert deployment.call("migrate").code == 0


def test_both_are_there_told_apart_and_explained(deployment: TestDeployment) -> None:
    found = run(deployment, REPORT, given=[FIRST, SECOND, "/api/v3/bells/bells/"])
    assert [*found["statuses"].values()] == [401, 401, 404]
    assert f"resources: {SECOND}" in found["contributions"]["bells"]

    told = run(deployment, ASK, f"GET {FIRST}", f"GET {SECOND}7/")
    for answers in told["answers"].values():
        assert [(one["owner"], one["guard"][0]["access"]) for one in answers] == [
            ("bells", "bells.view_bell")
        ]
    rows = told["rows"]
    assert {FIRST, SECOND} <= {one["name"] for one in rows if one["kind"] == "resources"}
    assert {FIRST, SECOND} <= {one["name"] for one in rows if one["kind"] == "addresses"}
    assert all(one["place"] for one in rows if one["kind"] == "addresses")

    without = [one for one in rows if not one["name"].startswith(FIRST)]
    changes = [(one.kind, one.name, one.breaking) for one in changes_between(rows, without)]
    assert ("resources", FIRST, True) in changes
    assert not any(name.startswith(SECOND) for _, name, _ in changes)


def test_asleep_neither_answers_and_a_plan_says_so(deployment: TestDeployment) -> None:
    plan = deployment.call("plugin", "plan", "--disable", "bells", "--json")
    assert FIRST in plan.out
    assert SECOND in plan.out
    with asleep(deployment):
        found = run(deployment, REPORT, given=[FIRST, SECOND])
        assert [*found["statuses"].values()] == [404, 404]
        (told,) = run(deployment, ASK, f"GET {SECOND}")["answers"].values()
        assert [(one["owner"], one["state"]) for one in told] == [("bells", "dormant")]


def test_two_of_one_name_in_one_version_do_not_start(tmp_path: Path) -> None:
    write(tmp_path / "wheels", ", type('Again', (SecondBells,), {'__doc__': 'Again.'})")
    with new_deployment(tmp_path / "deployment", plugins=["identity", "bells"]) as made:
        made.path.append(tmp_path / "wheels")
        done = made.call("check")
        assert done.code != 0
        assert f'"{SECOND}" is contributed twice' in done.out + done.err
