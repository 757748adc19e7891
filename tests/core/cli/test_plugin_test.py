"""``platformctl plugin test`` judges a folder, a wheel or an installed plugin, and says what it found."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.deployments import Answer, write_distribution

MODELS = """\
from django.db import models

from platform_core.models import BaseModel


class Guest(BaseModel):
    email = models.EmailField()
"""


def call(folder: Path, *words: str, path: Path | None = None) -> Answer:
    """Run ``platformctl plugin test`` in ``folder``, where there is no deployment."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PLATFORM_", "DJANGO_", "DATABASE_", "PYTEST_"))
    }
    done = subprocess.run(
        [sys.executable, "-m", "platform_core.cli", "plugin", "test", *words],
        cwd=folder,
        env=kept | {"COLUMNS": "200", "PYTHONPATH": str(path or "")},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    return Answer(done.returncode, done.stdout, done.stderr)


def outcomes(document: dict[str, Any]) -> dict[str, str]:
    return {one["test"].partition("::")[2]: one["outcome"] for one in document["tests"]}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a new plugin's folder, as ``startplugin`` writes it."""
    done = subprocess.run(
        [sys.executable, "-m", "platform_core.cli", "startplugin", "guests"]
        + ["--resource", "Guest:label,email:email", "--into", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return tmp_path / "guests"


def test_a_new_plugin_passes_from_its_folder_with_its_own_tests(project: Path) -> None:
    answer = call(project.parent, "guests", "--json")

    assert answer.code == 0, answer.out
    document = answer.document
    assert document["ok"]
    assert document["enabled"] == ["identity", "guests"]
    found = outcomes(document)
    assert set(found.values()) == {"passed"}
    assert document["passed"] == len(document["tests"])
    assert "test_personal_data_is_declared[guests]" in found
    assert "test_an_unknown_field_is_refused_by_name" in found, "its own tests"
    assert len(found) == len(document["tests"]), "no check ran twice"


def test_the_faults_of_a_wheel_are_told(tmp_path: Path) -> None:
    unpacked = write_distribution(
        tmp_path / "unpacked",
        "guests",
        requires=["platform-core>=0.1", "platform-identity>=0.1"],
        files={"models.py": MODELS, "migrations/__init__.py": ""},
    )
    wheel = tmp_path / "guests_plugin-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path in sorted(unpacked.rglob("*")):
            if path.is_file():
                archive.write(path, path.relative_to(unpacked))

    answer = call(tmp_path, str(wheel), "--json")

    assert answer.code == 1, answer.out
    document = answer.document
    assert not document["ok"]
    failed = {one["test"].partition("::")[2]: one["message"] for one in document["tests"]}
    assert "guests.Guest.email" in failed["test_personal_data_is_declared[guests]"]
    assert "a migration is missing" in failed["test_no_migration_is_missing[guests]"]


def test_what_is_no_plugin_is_refused_with_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.whl").write_text("no archive")
    with zipfile.ZipFile(tmp_path / "archive.whl", "w") as archive:
        archive.writestr("readme.txt", "no metadata")

    for name in ("empty", "text.whl", "archive.whl", "nobody"):
        answer = call(tmp_path, name, "--json")
        assert answer.code == 1
        (problem,) = answer.problems
        assert (problem["code"], problem["place"]) == ("no_plugin", name)
        assert "platformctl plugin list" in problem["way_out"]


def test_a_plugin_that_cannot_start_is_told_as_such(tmp_path: Path) -> None:
    folder = write_distribution(
        tmp_path / "path", "guests", files={"models.py": "raise ZeroDivisionError"}
    )

    answer = call(tmp_path, "guests", "--json", path=folder)

    assert answer.code == 1
    (problem,) = answer.problems
    assert problem["code"] == "tests_did_not_run"
    assert "guests_plugin.models cannot be imported: ZeroDivisionError" in problem["message"]


def test_without_the_testing_extra_the_command_says_what_to_install(tmp_path: Path) -> None:
    code = (
        "import sys\nsys.modules['schemathesis'] = None\nsys.modules['babel'] = None\n"
        "from platform_core.cli.app import main\nmain(['plugin', 'test', 'identity', '--json'])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert done.returncode == 1, done.stderr
    (problem,) = json.loads(done.stdout)["problems"]
    assert problem["code"] == "testing_not_installed"
    assert "babel, schemathesis" in problem["message"]
    assert 'pip install "platform-core[testing]"' in problem["way_out"]


@pytest.mark.parametrize("absent", ["pytest", "hypothesis", "schemathesis", "babel"])
def test_platformctl_starts_where_nothing_for_tests_is_installed(
    absent: str, tmp_path: Path
) -> None:
    program = (
        f"import sys; sys.modules[{absent!r}] = None; from platform_core.cli import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "--help"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert "startplugin" in done.stdout
