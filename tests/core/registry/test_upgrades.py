"""A stranger's plugin upgraded twice with data: rows are kept, and ``plugin diff`` says what then really happens."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.deployments import TestDeployment, new_deployment, write_distribution

HOOKS = """\
from platform_core.access import Granted
from platform_core.contributions import PUBLIC, SIGNED_IN, Permission, Route
from platform_core.hookspecs import hookimpl


def answer(request):
    raise NotImplementedError


@hookimpl
def permissions():
    return [Permission(name=name, title=name, rule=Granted(name)) for name in {permissions}]


@hookimpl
def routes():
    return [Route(path=path, name=path, access=access, view=answer) for path, access in {routes}]
"""

MODELS = """\
from django.db import models


class Thing(models.Model):
    {columns}
"""

SETTINGS = """\
from pydantic import SecretStr

from platform_core.conf import PluginSettings


class Values(PluginSettings):
    seats: int = 12
    {extra}
"""

FIRST = """\
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True
    dependencies = []
    operations = [
        migrations.CreateModel(
            "Thing",
            [("id", models.BigAutoField(primary_key=True)), ("name", models.CharField(max_length=20))],
        ),
    ]
"""
SECOND = """\
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("gadget", "0001_initial")]
    operations = [
        migrations.AddField("thing", "colour", models.CharField(max_length=9, default="red")),
        migrations.AddField("thing", "weight", models.IntegerField(null=True)),
    ]
"""
THIRD = """\
from django.db import migrations


def shout(apps, schema_editor):
    for thing in apps.get_model("gadget", "Thing").objects.all():
        thing.title = thing.title.upper()
        thing.save()


class Migration(migrations.Migration):
    dependencies = [("gadget", "0002_colour")]
    operations = [
        migrations.RenameField("thing", "name", "title"),
        migrations.RemoveField("thing", "weight"),
        migrations.RunPython(shout),
    ]
"""

NAME = "name = models.CharField(max_length=20)"
COLOUR = 'colour = models.CharField(max_length=9, default="red")'
WEIGHT = "weight = models.IntegerField(null=True)"
RELEASES: dict[str, dict[str, Any]] = {
    "1.0": {
        "columns": [NAME],
        "permissions": ["gadget.view_thing"],
        "routes": "[('greet/', PUBLIC), ('old/', SIGNED_IN)]",
        "extra": "",
    },
    "1.1": {
        "columns": [NAME, COLOUR, WEIGHT],
        "permissions": ["gadget.view_thing", "gadget.add_thing", "gadget.paint_thing"],
        "routes": "[('greet/', SIGNED_IN), ('old/', SIGNED_IN), ('new/', 'gadget.view_thing')]",
        "extra": "token: SecretStr",
    },
    "1.2": {
        "columns": [NAME.replace("name", "title", 1), COLOUR],
        "permissions": ["gadget.view_thing", "gadget.add_thing"],
        "routes": "[('greet/', SIGNED_IN), ('new/', 'gadget.view_thing')]",
        "extra": "token: SecretStr",
    },
}
MIGRATIONS = {"0001_initial": FIRST, "0002_colour": SECOND, "0003_title": THIRD}
SECRET = "not-to-be-shown-19c4"

LOOK = """\
import json
from platform_core.cli.boot import boot
boot()
from django.urls import get_resolver
from platform_core.access import installed_permissions
from platform_core.registry.addresses import leaves
names = [one.name for one in installed_permissions() if one.name.startswith("gadget.")]
home = "/api/v1/gadget/"
found = [address for address, _ in leaves(get_resolver().url_patterns)]
routes = [address.removeprefix(home) for address in found if address.startswith(home)]
print(json.dumps({"permissions": names, "routes": routes}))
"""


def write_release(folder: Path, version: str) -> Path:
    """Write the plugin ``gadget`` in ``version``, as it looks when it is installed."""
    release = RELEASES[version]
    count = list(RELEASES).index(version) + 1
    migrations = dict(list(MIGRATIONS.items())[:count])
    return write_distribution(
        folder / version,
        "gadget",
        version=version,
        apps_extra="settings_class = __import__('gadget_plugin.settings').settings.Values",
        files={
            "hooks.py": HOOKS.format(**{**release, "permissions": release["permissions"]}),
            "models.py": MODELS.format(columns="\n    ".join(release["columns"])),
            "settings.py": SETTINGS.format(extra=release["extra"]),
            "migrations/__init__.py": "",
            **{f"migrations/{name}.py": text for name, text in migrations.items()},
        },
    )


def pack(installed: Path, wheel: Path) -> Path:
    """Write a wheel of what is installed in a folder."""
    with zipfile.ZipFile(wheel, "w") as archive:
        for file in sorted(installed.rglob("*")):
            if file.is_file() and file.suffix != ".pyc":
                archive.write(file, file.relative_to(installed))
    return wheel


@dataclass
class Real:
    """What the deployment really has: asked of PostgreSQL and of a booted Django, not of the ledger."""

    columns: set[str]
    permissions: set[str]
    routes: set[str]


def really(deployment: TestDeployment, **variables: str) -> Real:
    with psycopg.connect(deployment.database_url) as connection:
        rows = connection.execute(
            "SELECT column_name FROM information_schema.columns WHERE table_name = 'gadget_thing'"
        ).fetchall()
    done = subprocess.run(
        [sys.executable, "-c", LOOK],
        cwd=deployment.folder,
        env=deployment.environment(DJANGO_SETTINGS_MODULE="settings", **variables),
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(done.stdout.splitlines()[-1])
    return Real({name for (name,) in rows}, set(found["permissions"]), set(found["routes"]))


def things(deployment: TestDeployment, *columns: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(deployment.database_url) as connection:
        return connection.execute(
            f"SELECT {', '.join(columns)} FROM gadget_thing ORDER BY id"  # type: ignore[arg-type]
        ).fetchall()


def names(document: Any, kind: str, *changes: str) -> set[str]:
    return {
        one["name"]
        for one in document["changes"]
        if one["kind"] == kind and one["change"] in changes
    }


def told(document: Any, real: Real) -> Real:
    """Return what ``real`` becomes when exactly the told changes happen to it."""
    prefix = "/api/v1/gadget/"
    renamed = names(document, "columns", "renamed")
    targets = {
        one["text"].rpartition(" ")[2] for one in document["changes"] if one["change"] == "renamed"
    }
    return Real(
        real.columns - names(document, "columns", "dropped") - renamed
        | names(document, "columns", "added")
        | targets,
        real.permissions - names(document, "permissions", "dropped")
        | names(document, "permissions", "added"),
        {
            route.removeprefix(prefix)
            for route in {f"{prefix}{one}" for one in real.routes}
            - names(document, "addresses", "dropped")
            | names(document, "addresses", "added")
        },
    )


@pytest.fixture
def deployment(tmp_path: Path) -> Iterator[TestDeployment]:
    with new_deployment(tmp_path / "deployment", plugins=["identity", "gadget"]) as made:
        yield made


def test_two_upgrades_keep_the_rows_and_do_what_the_diff_said(
    deployment: TestDeployment, tmp_path: Path
) -> None:
    wheels = {
        version: pack(write_release(tmp_path, version), tmp_path / f"gadget-{version}.whl")
        for version in RELEASES
    }
    token = {"PLUGIN_GADGET_TOKEN": SECRET}
    deployment.path = [tmp_path / "1.0"]
    assert deployment.call("migrate").code == 0
    with psycopg.connect(deployment.database_url) as connection:
        connection.execute("INSERT INTO gadget_thing (name) VALUES ('one'), ('two')")
    real = really(deployment)

    deployment.path = [tmp_path / "1.1"]
    answer = deployment.call("plugin", "diff", "gadget", "--json", "--detailed-exitcode")

    assert answer.code == 3, answer.out + answer.err
    first = answer.document
    assert (first["from"]["version"], first["to"]["version"]) == ("1.0", "1.1")
    assert "adds 2 permissions" in first["summary"]
    assert "needs setting PLUGIN_GADGET_TOKEN (SecretStr)" in first["summary"]
    assert {one["text"] for one in first["changes"] if one["breaking"]} == {
        "needs setting PLUGIN_GADGET_TOKEN (SecretStr)",
        "narrows route /api/v1/gadget/greet/: * asks for signed_in instead of public",
    }
    applied = deployment.call("migrate", "--json", **token).document["applied"]
    assert set(applied) == names(first, "migrations", "added") == {"gadget.0002_colour"}
    assert told(first, real) == (real := really(deployment, **token))
    assert things(deployment, "name", "colour") == [("one", "red"), ("two", "red")]
    assert deployment.call("plugin", "diff", "gadget", "--json", **token).document["changes"] == []

    # The next release is looked at as a wheel, while 1.1 stays what is installed.
    answer = deployment.call(
        "plugin", "diff", "gadget", "--to", str(wheels["1.2"]), "--json", **token
    )

    assert answer.code == 0, answer.out + answer.err
    second = answer.document
    assert SECRET not in answer.out + answer.err
    assert "renames column name of table gadget_thing to title" in second["summary"]
    assert {one["text"] for one in second["changes"] if one["breaking"]} == {
        "adds migration gadget.0003_title, which cannot be reversed",
        "drops column weight of table gadget_thing",
        "renames column name of table gadget_thing to title",
        "drops route /api/v1/gadget/old/",
        "drops permission gadget.paint_thing",
    }
    assert really(deployment, **token) == real
    deployment.path = [tmp_path / "1.2"]
    applied = deployment.call("migrate", "--json", **token).document["applied"]
    assert set(applied) == names(second, "migrations", "added") == {"gadget.0003_title"}
    assert told(second, real) == really(deployment, **token)
    assert things(deployment, "title", "colour") == [("ONE", "red"), ("TWO", "red")]

    with psycopg.connect(deployment.database_url) as connection:
        rows = connection.execute(
            "SELECT name, version, place, facts::text FROM platform_core_plugincontribution "
            "WHERE plugin_id = 'gadget' AND kind IN ('permissions', 'settings', 'tables')"
        ).fetchall()
    places = {name: (version, place) for name, version, place, _ in rows}
    assert places["gadget.view_thing"] == ("1.2", "gadget_plugin/hooks.py:10")
    assert places["gadget_thing"] == ("1.2", "gadget_plugin/models.py:4")
    assert places["PLUGIN_GADGET_TOKEN"] == ("1.2", "gadget_plugin/settings.py:6")
    assert SECRET not in str(rows)


def test_two_wheels_are_compared_without_database_and_without_being_installed(
    tmp_path: Path,
) -> None:
    wheels = [
        str(pack(write_release(tmp_path, version), tmp_path / f"gadget-{version}.whl"))
        for version in ("1.1", "1.0")
    ]
    folder = tmp_path / "deployment"
    folder.mkdir()
    deployment = TestDeployment(folder, "postgresql://nobody@127.0.0.1:1/nothing")
    deployment.write(plugins=["identity"])
    before = {path.name for path in folder.iterdir()}

    answer = deployment.call("plugin", "diff", "gadget", "--from", wheels[0], "--to", wheels[1])

    assert answer.code == 0, answer.out + answer.err
    assert "drops 2 columns" in answer.out
    assert "drops setting PLUGIN_GADGET_TOKEN  breaking" in answer.out
    assert {path.name for path in folder.iterdir()} - before <= {"__pycache__", "var"}
    other = deployment.call(
        "plugin", "diff", "identity", "--to", wheels[0], "--from", wheels[1], "--json"
    )
    assert [one["code"] for one in other.problems] == ["other_plugin"]
    (tmp_path / "text.whl").write_text("no archive", encoding="utf-8")
    bad = deployment.call(
        "plugin", "diff", "gadget", "--from", str(tmp_path / "text.whl"), "--json"
    )
    assert (bad.code, [one["code"] for one in bad.problems]) == (1, ["no_wheel"])
    away = deployment.call("plugin", "diff", "identity", "--json")
    assert [one["code"] for one in away.problems] == ["database_unreachable"]
