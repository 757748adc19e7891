"""``startplugin`` writes a project that works at once, or says why it wrote nothing."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

COURSE = "Course:title,starts_on:date,seats:int"
EVERY_TYPE = (
    "CourseOffering:note:text,fee:decimal,is_open:bool,opens_at:datetime,contact:email,"
    "site:url,rank:int,code"
)
CALL = "from platform_core.cli import main; main()"


def platformctl(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return run("-c", CALL, *words, cwd=cwd)


def run(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run Python as a stranger would: without this repository's settings, lists and database, with its packages."""
    dropped = (
        "DJANGO_SETTINGS_MODULE",
        "DATABASE_URL",
        "PLATFORM_",
        "PLUGIN_",
        "PYTEST_",
        "COV_",
        "PYTHONPATH",
    )
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(dropped)
    }
    return subprocess.run(
        [sys.executable, *words],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a project with two resources, made in a folder with a space and an é."""
    folder = tmp_path_factory.mktemp("outside é folder")
    done = platformctl(
        "startplugin", "library", "--resource", COURSE, "--resource", EVERY_TYPE, cwd=folder
    )
    assert done.returncode == 0, done.stderr
    return folder / "library"


def test_the_project_passes_its_own_tests_before_it_is_installed(project: Path) -> None:
    done = run("-m", "pytest", "-q", cwd=project)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout
    assert "skipped" not in done.stdout


def test_awkward_names_work_too(tmp_path: Path) -> None:
    done = platformctl(
        *("startplugin", "law_office2", "--resource", "Contract:signed:bool,note:text"),
        *("--resource", "Story:body:text", "--resource", "HTTPBox:size:int"),
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    project = tmp_path / "law_office2"
    done = run("-m", "pytest", "-q", "-k", "not off", cwd=project)
    assert done.returncode == 0, done.stdout + done.stderr
    names = {path.name for path in (project / "tests").glob("test_*.py")}
    assert names == {"test_contract.py", *(f"test_{one}.py" for one in PLURALS)}


PLURALS = ("contracts", "stories", "http_boxes")


def test_it_holds_about_a_dozen_files_without_anything_left_to_do(project: Path) -> None:
    texts = {
        path: path.read_text(encoding="utf-8")
        for path in project.rglob("*")
        if path.is_file() and "cache" not in str(path.relative_to(project))  # of tools that ran
    }
    assert 12 <= len(texts) <= 16
    assert not [path for path, text in texts.items() if "TODO" in text or "FIXME" in text]


def test_its_metadata_names_the_plugin_and_what_it_needs(project: Path) -> None:
    metadata = tomllib.loads((project / "pyproject.toml").read_text())["project"]
    assert metadata["entry-points"]["platform_core.plugins"] == {
        "library": "library.apps:LibraryConfig"
    }
    assert [one.partition(">")[0] for one in metadata["dependencies"]] == ["platform-core"]


def test_its_code_is_formatted_and_without_findings(project: Path) -> None:
    checked = run("-m", "ruff", "check", ".", cwd=project)
    assert checked.returncode == 0, checked.stdout
    formatted = run("-m", "ruff", "format", "--check", "--diff", ".", cwd=project)
    assert formatted.returncode == 0, formatted.stdout


def test_a_resource_takes_about_twenty_lines(project: Path) -> None:
    tree = ast.parse((project / "library" / "resources.py").read_text())
    [resource] = [
        one for one in tree.body if isinstance(one, ast.ClassDef) and one.name == "CourseResource"
    ]
    assert resource.end_lineno is not None
    assert resource.end_lineno - resource.lineno < 20


def test_its_wheel_holds_the_package_only(project: Path, tmp_path: Path) -> None:
    done = run(
        *("-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), "."), cwd=project
    )
    assert done.returncode == 0, done.stdout + done.stderr
    [wheel] = tmp_path.glob("library-0.1.0-*.whl")
    names = run("-m", "zipfile", "-l", str(wheel), cwd=tmp_path).stdout
    assert "library/migrations/0001_initial.py" in names
    assert "tests/" not in names


def test_the_answer_for_programs_names_folder_package_and_files(tmp_path: Path) -> None:
    done = platformctl(
        "startplugin", "shelf", "--resource", "Book:title", "--into", "x/y", "--json", cwd=tmp_path
    )
    answer = json.loads(done.stdout)
    assert answer["ok"] is True
    assert answer["folder"] == str(tmp_path / "x" / "y" / "shelf")
    assert [answer[key] for key in ("slug", "package", "distribution")] == ["shelf"] * 3
    found = {
        str(path.relative_to(answer["folder"]))
        for path in Path(answer["folder"]).rglob("*")
        if path.is_file()
    }
    assert found == set(answer["files"])


def test_a_package_whose_name_is_a_module_already_gets_another(tmp_path: Path) -> None:
    done = platformctl("startplugin", "calendar", "--resource", "Day:on:date", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "calendar_plugin" in done.stdout
    text = (tmp_path / "calendar" / "pyproject.toml").read_text()
    assert 'calendar = "calendar_plugin.apps:CalendarConfig"' in text


def test_an_empty_folder_of_that_name_is_used(tmp_path: Path) -> None:
    (tmp_path / "shelf").mkdir()
    done = platformctl("startplugin", "shelf", "--resource", "Book:title", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "shelf" / "pyproject.toml").is_file()


@pytest.mark.parametrize(
    ("name", "resources", "code"),
    [
        ("My-Library", ["Book:title"], "slug_not_allowed"),
        ("l" * 31, ["Book:title"], "slug_not_allowed"),
        ("a__b", ["Book:title"], "slug_not_allowed"),
        ("../up", ["Book:title"], "slug_not_allowed"),
        ("manage", ["Book:title"], "slug_reserved"),
        ("waffle", ["Book:title"], "slug_reserved"),
        ("class", ["Book:title"], "slug_reserved"),
        ("identity", ["Book:title"], "slug_taken"),
        ("shelf", ["book:title"], "resource_name"),
        ("shelf", ["BaseModel:title"], "resource_name"),
        ("shelf", ["Book"], "resource_fields"),
        ("shelf", ["Book:"], "resource_fields"),
        ("shelf", ["Book:title,,pages:int"], "resource_fields"),
        ("shelf", ["Book:title,title:int"], "field_repeated"),
        ("shelf", ["Book:Title"], "field_name"),
        ("shelf", ["Book:class"], "field_name"),
        ("shelf", ["Book:id"], "field_name"),
        ("shelf", ["Book:created_at:date"], "field_name"),
        ("shelf", ["Book:delete:bool"], "field_name"),
        ("shelf", ["Book:a__b"], "field_name"),
        ("shelf", ["Book:request_id"], "field_name"),
        ("shelf", ["Book:search"], "field_name"),
        ("shelf", ['Book:title"]'], "field_name"),
        ("shelf", ["Book:title:strr"], "field_type"),
        ("shelf", ["Book:title:str:int"], "field_type"),
        ("shelf", ["Book:title", "Book:pages:int"], "resource_repeated"),
        ("shelf", ["BookA:title", "Booka:pages:int"], "resource_repeated"),
    ],
)
def test_what_cannot_work_is_refused_and_nothing_is_written(
    name: str, resources: list[str], code: str, tmp_path: Path
) -> None:
    words = [word for one in resources for word in ("--resource", one)]
    done = platformctl("startplugin", name, *words, "--json", cwd=tmp_path)
    assert done.returncode == 1
    [problem] = json.loads(done.stdout)["problems"]
    assert problem["code"] == code
    assert problem["way_out"]
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "shelf").mkdir()
    (tmp_path / "shelf" / "mine.txt").write_text("kept")
    done = platformctl("startplugin", "shelf", "--resource", "Book:title", cwd=tmp_path)
    assert done.returncode == 1
    assert "not empty" in done.stderr
    assert [path.name for path in tmp_path.rglob("*")] == ["shelf", "mine.txt"]


def test_a_place_that_is_no_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = platformctl(
        "startplugin", "shelf", "--resource", "Book:title", "--into", "file", "--json", cwd=tmp_path
    )
    assert done.returncode == 1
    assert json.loads(done.stdout)["problems"][0]["code"] == "folder_not_writable"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
