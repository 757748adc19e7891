"""``plugin makemigrations`` and ``plugin messages`` write into a project what follows from its code."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from platform_core.testing.catalogues import catalogue_faults, catalogue_path
from tests.deployments import Answer

CLASS = "    label = "
UNCHANGED = "No changes detected in app 'guests'\n"
COLUMN = '    colour = models.CharField(_("colour"), max_length=9{default})\n'


def call(folder: Path, *words: str) -> Answer:
    """Run ``platformctl`` in ``folder``, where there is no deployment, with nothing to read questions from."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PLATFORM_", "DJANGO_", "DATABASE_", "PYTEST_"))
    }
    done = subprocess.run(
        [sys.executable, "-m", "platform_core.cli", *words],
        cwd=folder,
        env=kept | {"COLUMNS": "200"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    return Answer(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return the folder of a new plugin."""
    made = call(tmp_path, "startplugin", "guests", "--resource", "Guest:label")
    assert made.code == 0, made.err
    return tmp_path / "guests"


def rewrite(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_the_migration_of_a_second_version_is_written(project: Path) -> None:
    unchanged = call(project, "plugin", "makemigrations")
    assert (unchanged.code, unchanged.out) == (0, UNCHANGED), unchanged.err
    models = project / "guests" / "models.py"
    rewrite(models, CLASS, COLUMN.format(default="") + CLASS)

    refused = call(project, "plugin", "makemigrations", "--json")
    assert (refused.code, refused.problems[0]["code"]) == (1, "migration_not_written")

    rewrite(models, COLUMN.format(default=""), COLUMN.format(default=', default="red"'))
    answer = call(
        project.parent, "plugin", "makemigrations", "guests", "--name", "colour", "--json"
    )
    written = project / "guests" / "migrations" / "0002_colour.py"
    assert answer.document == {"ok": True, "written": [str(written)]}
    assert "Add" not in answer.out + answer.err
    assert call(project, "plugin", "makemigrations").out == UNCHANGED


def test_a_project_that_does_not_start_says_why(project: Path) -> None:
    rewrite(project / "guests" / "hooks.py", "def roles()", "def rolls()")
    answer = call(project, "plugin", "makemigrations", "--json")
    assert answer.code == 1
    assert "guests/hooks.py" in answer.problems[0]["message"]
    (nowhere,) = call(project.parent, "plugin", "makemigrations", "--json").problems
    assert nowhere["code"] == "no_plugin"


def test_catalogues_are_written_until_they_are_complete(project: Path) -> None:
    (none,) = call(project, "plugin", "messages", "--json").problems
    assert none["code"] == "no_languages"
    rewrite(project / "guests" / "apps.py", "    title =", '    languages = ("de",)\n    title =')

    begun = call(project, "plugin", "messages")
    assert begun.code == 1
    assert begun.out.startswith("de: ")
    assert "\n  label\n" in begun.out

    package = project / "guests"
    texts = catalogue_path(package, "de")
    texts.write_text(
        texts.read_text(encoding="utf-8").replace('msgstr ""\n\n', 'msgstr "x"\n\n') + "\n",
        encoding="utf-8",
    )
    rewrite(texts, 'msgid "label"\nmsgstr "x"', 'msgid "label"\nmsgstr "Bezeichnung"')
    ended = call(project, "plugin", "messages", "--json").document
    assert ended == {"ok": True, "missing": {"de": []}}
    assert list(catalogue_faults(package, "de")) == []
