"""A stranger's plugin, from ``startplugin`` to a wheel in an environment that knows nothing of this repository."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.deployments import ROOT, new_database
from tests.served import Served, owner_credentials, serve

UV = shutil.which("uv", path=str(Path(sys.executable).parent)) or "uv"


def run(*words: str | Path, cwd: Path, env: dict[str, str] | None = None) -> str:
    """Run a command and return its output; its whole text is the failure's message."""
    done = subprocess.run(
        [str(word) for word in words],
        cwd=cwd,
        env=env or clean_environment(),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def clean_environment(**variables: str) -> dict[str, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PLATFORM_", "PLUGIN_", "DJANGO_", "DATABASE_", "PYTEST_", "COV"))
        and name not in {"VIRTUAL_ENV", "PYTHONPATH"}
    }
    return {**kept, "COLUMNS": "200", **variables}


@dataclass
class Place:
    """An environment with only core and identity, a stranger's project, and the wheels."""

    folder: Path
    python: Path
    wheels: Path

    @property
    def platformctl(self) -> Path:
        return self.python.with_name("platformctl")

    def install(self, *names: str) -> None:
        """Install our wheels without any index; what they require has to be there already."""
        run(
            UV, "pip", "install", "--quiet", "--python", self.python, "--no-index",
            "--find-links", self.wheels, *names,
            cwd=self.folder,
        )  # fmt: skip


def build_wheel(project: Path, wheels: Path) -> None:
    copy = wheels.parent / "sources" / project.name
    shutil.copytree(
        project,
        copy,
        ignore=shutil.ignore_patterns(".venv", "var", ".git", "tests", "__pycache__", ".*_cache"),
    )
    run(
        sys.executable,
        "-m",
        "build",
        "--wheel",
        "--no-isolation",
        "--outdir",
        wheels,
        copy,
        cwd=copy,
    )


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    folder = tmp_path_factory.mktemp("stranger")
    wheels = folder / "wheels"
    wheels.mkdir()
    for project in (ROOT, ROOT / "plugins" / "identity"):
        build_wheel(project, wheels)
    run(UV, "venv", "--quiet", "--python", sys.executable, folder / "environment", cwd=folder)
    python = folder / "environment" / "bin" / "python"
    # The third-party packages come from the index or the installer's cache; ours come from the wheels alone.
    requirements = ROOT / "requirements" / "base.txt"
    run(
        UV, "pip", "install", "--quiet", "--python", python, "--require-hashes", "-r", requirements,
        cwd=folder,
    )  # fmt: skip
    made = Place(folder, python, wheels)
    made.install("platform-core", "platform-identity")
    return made


@pytest.fixture(scope="module")
def project(place: Place) -> Path:
    """The stranger's project, written by the installed ``startplugin`` and built into a wheel."""
    run(
        place.platformctl, "startplugin", "library",
        "--resource", "Course:title,starts_on:date,seats:int",
        cwd=place.folder,
    )  # fmt: skip
    made = place.folder / "library"
    build_wheel(made, place.wheels)
    return made


@pytest.fixture
def deployment(place: Place, tmp_path: Path) -> Path:
    run(place.platformctl, "init", tmp_path / "site", "--plugin", "identity", cwd=tmp_path)
    return tmp_path / "site"


def test_the_project_passes_its_own_tests_on_the_first_run(place: Place, project: Path) -> None:
    with new_database() as url:
        # The tools that test come from this environment; what is tested comes from the wheels.
        environment = place.folder / "tested"
        run(UV, "venv", "--quiet", "--python", sys.executable, environment, cwd=place.folder)
        python = environment / "bin" / "python"
        run(
            UV, "pip", "install", "--quiet", "--python", python, "--require-hashes", "-r",
            ROOT / "requirements" / "dev.txt",
            cwd=place.folder,
        )  # fmt: skip
        Place(place.folder, python, place.wheels).install("platform-core", "platform-identity")
        run(
            UV, "pip", "install", "--quiet", "--python", python, "--no-deps",
            "--no-build-isolation", "--editable", project,
            cwd=project,
        )  # fmt: skip

        out = run(
            python, "-m", "pytest", "-q", cwd=project, env=clean_environment(DATABASE_URL=url)
        )

    assert "passed" in out
    assert "failed" not in out


def test_a_strangers_plugin_is_enabled_switched_off_and_back(
    place: Place, project: Path, deployment: Path
) -> None:
    def ctl(*words: str) -> str:
        return run(place.platformctl, *words, cwd=deployment)

    python = {"python": place.python}
    with serve(deployment, environment=clean_environment(), **python) as served:
        owner = served.sign_in(*owner_credentials(deployment / "var"))
        assert served.request("GET", "/api/v1/library/courses/", token=owner).status == 404
    place.install("library")

    planned = json.loads(ctl("plugin", "plan", "--enable", "library", "--json"))
    assert "library" in json.dumps(planned)
    ctl("plugin", "apply", "--enable", "library", "--hash", planned["hash"])

    course = {"title": "Botany", "starts_on": "2026-09-01", "seats": 12}
    with serve(deployment, environment=clean_environment(), **python) as served:
        owner = served.sign_in(*owner_credentials(deployment / "var"))
        assert served.request("GET", "/api/v1/library/courses/").status == 401
        nobody = sign_in_new_user(served, place, deployment)
        assert served.request("GET", "/api/v1/library/courses/", token=nobody).status == 403
        created = served.request("POST", "/api/v1/library/courses/", course, token=owner)
        assert created.status == 201, created.body
        unit = served.request(
            "POST", "/api/v1/identity/org-units/", {"name": "North", "kind": "x"}, token=owner
        ).document["id"]

    ctl("plugin", "disable", "library")
    ctl("migrate")
    with serve(deployment, environment=clean_environment(), **python) as served:
        owner = served.sign_in(*owner_credentials(deployment / "var"))
        assert served.request("GET", "/api/v1/library/courses/", token=owner).status == 404
        deleted = served.request("DELETE", f"/api/v1/identity/org-units/{unit}/", token=owner)
        assert deleted.status == 204

    ctl("plugin", "enable", "library")
    ctl("migrate")
    with serve(deployment, environment=clean_environment(), **python) as served:
        owner = served.sign_in(*owner_credentials(deployment / "var"))
        rows = served.request("GET", "/api/v1/library/courses/", token=owner).document["data"]
        history = served.request(
            "GET", f"/api/v1/library/courses/{created.document['id']}/history/", token=owner
        )

    assert [row["title"] for row in rows] == ["Botany"]
    assert [entry["type"] for entry in history.document["data"]] == ["created"]


def sign_in_new_user(served: Served, place: Place, deployment: Path) -> str:
    done = subprocess.run(
        [
            str(place.platformctl),
            "user",
            "create",
            "someone@example.org",
            "--password-stdin",
        ],  # fmt: skip
        cwd=deployment,
        env=clean_environment(),
        input="a-long-passphrase-of-somebody\n",
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return served.sign_in("someone@example.org", "a-long-passphrase-of-somebody")
