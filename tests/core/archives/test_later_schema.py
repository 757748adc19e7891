"""A stranger's plugin: archived at 1.0, restored into 1.1 which has one migration more; 0.9 does not know the archive."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import psycopg
import pytest

from tests.core.archives.kills import ARCHIVES, killed
from tests.deployments import TestDeployment, new_deployment, write_distribution

MODELS = """\
from django.db import models


class Note(models.Model):
    title = models.CharField(max_length=50)
    unit = models.ForeignKey("identity.OrgUnit", models.SET_NULL, null=True)
"""
COLOUR = "    colour = models.CharField(max_length=20)\n"
INITIAL = """\
from django.db import migrations, models


def welcome(apps, schema_editor):
    apps.get_model("notes", "Note").objects.create(title="Welcome")


class Migration(migrations.Migration):
    dependencies = [("identity", "0001_initial")]
    operations = [
        migrations.CreateModel(
            "Note",
            [
                ("id", models.BigAutoField(primary_key=True)),
                ("title", models.CharField(max_length=50)),
                ("unit", models.ForeignKey("identity.OrgUnit", models.SET_NULL, null=True)),
            ],
        ),
        migrations.RunPython(welcome, migrations.RunPython.noop),
    ]
"""
CONCURRENT = """\
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("notes", "0001_initial")]
    operations = [AddIndexConcurrently("Note", models.Index(fields=["title"], name="notes_title"))]
"""
LATER = """\
from django.db import migrations, models


def paint(apps, schema_editor):
    apps.get_model("notes", "Note").objects.update(colour=models.functions.Upper("title"))


class Migration(migrations.Migration):
    dependencies = [("notes", "0002_index")]
    operations = [
        migrations.AddField("Note", "colour", models.CharField(max_length=20, default="")),
        migrations.RunPython(paint, migrations.RunPython.noop),
    ]
"""
META = '\n    class Meta:\n        indexes = [models.Index(fields=["title"], name="notes_title")]\n'

RELEASES: Mapping[str, Mapping[str, str]] = {
    "0.9": {"models.py": MODELS, "migrations/0001_initial.py": INITIAL},
    "1.0": {
        "models.py": MODELS + META,
        "migrations/0001_initial.py": INITIAL,
        "migrations/0002_index.py": CONCURRENT,
    },
    "1.1": {
        "models.py": MODELS + COLOUR + META,
        "migrations/0001_initial.py": INITIAL,
        "migrations/0002_index.py": CONCURRENT,
        "migrations/0003_colour.py": LATER.replace(
            "from django.db import migrations, models",
            "from django.db import migrations, models\nimport django.db.models.functions",
        ),
    },
}
NOTES = [(5, "tab\tand \\ and\nline"), (7, "Ünicode"), (8, "")]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[TestDeployment]:
    """A deployment with the plugin at 1.0, notes of its own, a gap in their numbers, and settings."""
    with new_deployment(tmp_path / "site", plugins=["identity"], dormant=["notes"]) as made:
        install(made, tmp_path, "1.0")
        assert made.call("migrate").code == 0
        with psycopg.connect(made.database_url) as connection:
            connection.execute("DELETE FROM notes_note")
            for key, title in NOTES:
                connection.execute(
                    "INSERT INTO notes_note (id, title) VALUES (%s, %s)", [key, title]
                )
            connection.execute("SELECT setval(pg_get_serial_sequence('notes_note', 'id'), 41)")
        yield made


def install(site: TestDeployment, folder: Path, version: str) -> None:
    files = {"migrations/__init__.py": "", **RELEASES[version]}
    wheel = write_distribution(
        folder / version, "notes", version=version, requires=["platform-identity"], files=files
    )
    site.path = [wheel]


def test_rows_move_on_to_the_schema_of_the_installed_version(
    site: TestDeployment, tmp_path: Path
) -> None:
    archive = str(tmp_path / "notes.zip")
    gone = site.call(
        "plugin", "uninstall", "notes", "--confirm", "notes", "--archive", archive, "--json"
    )
    assert gone.code == 0, gone.out + gone.err

    install(site, tmp_path, "0.9")
    refused = site.call("plugin", "restore", archive, "--json")
    assert [one["code"] for one in refused.problems] == ["schema_unknown"]
    assert "0002_index" in refused.problems[0]["message"]

    install(site, tmp_path, "1.1")
    tried = site.call("plugin", "restore", archive, "--dry-run", "--json")
    assert [one["code"] for one in tried.problems] == ["no_dry_run"]
    # One migration runs outside a transaction: killed after it, tables stand without rows.
    assert killed(site, (f"{ARCHIVES}.restoring:_load", "before"), "plugin", "restore", archive)

    done = site.call("plugin", "restore", archive, "--json")

    assert done.code == 0, done.out + done.err
    assert done.document["state"] == "dormant"
    with psycopg.connect(site.database_url) as connection:
        rows = connection.execute("SELECT id, title, colour FROM notes_note ORDER BY id").fetchall()
        following = connection.execute(
            "INSERT INTO notes_note (title, colour) VALUES ('x', 'y') RETURNING id"
        ).fetchone()
        record = connection.execute(
            "SELECT version, state FROM platform_core_pluginrecord WHERE slug = 'notes'"
        ).fetchone()
    assert rows == [(key, title, title.upper()) for key, title in NOTES]
    assert following == (42,)
    assert record == ("1.1", "dormant")
