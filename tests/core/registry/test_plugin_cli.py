"""``platformctl plugin`` from outside: real processes, a real database, a plugin made by a stranger."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.deployments import TestDeployment, new_deployment, write_distribution

SECRET = "not-to-be-shown-7f3a"

HOOKS = """\
import datetime

from platform_core.access import Granted
from platform_core.contributions import SIGNED_IN, Flag, Permission, Role, Route
from platform_core.hookspecs import hookimpl


def greet(request):
    raise NotImplementedError


@hookimpl
def permissions():
    return [Permission(name="toy.view_thing", title="See", rule=Granted("toy.view_thing"))]


@hookimpl
def roles():
    return [
        Role(name="toy.reader", title="Reader", permissions=("toy.view_thing",)),
        Role(name="toy.head", title="Head", inherits=("toy.reader",)),
    ]


@hookimpl
def routes():
    return [Route(path="greet/", name="greet", access=SIGNED_IN, view=greet)]


@hookimpl
def flags():
    day = datetime.date(2031, 1, 1)
    return [Flag(name="toy.new", title="New", owner="toys@example.org", expires_on=day)]
"""

MODELS = """\
from django.db import models


class Thing(models.Model):
    name = models.CharField(max_length=20)

    personal_fields = ("name",)
"""

MIGRATION = """\
from django.db import migrations, models


def count(apps, schema_editor):
    print("noise on standard output")
    {body}


class Migration(migrations.Migration):
    initial = True
    dependencies = [("identity", "0001_initial")]
    operations = [
        migrations.CreateModel(
            "Thing",
            [("id", models.BigAutoField(primary_key=True)), ("name", models.CharField(max_length=20))],
        ),
        migrations.RunSQL("CREATE INDEX toy_users ON identity_user (created_at)", "SELECT 1"),
        migrations.RunPython(count, migrations.RunPython.noop),
    ]
"""

SETTINGS = """\
from pydantic import SecretStr

from platform_core.conf import PluginSettings


class Values(PluginSettings):
    token: SecretStr
    api_key: str = "built-in-key"
    seats: int = 12
"""


def write_toys(folder: Path, *, body: str = "pass", needs_settings: bool = False) -> None:
    """Write the plugin ``toy`` with a table, and ``toybox``, which requires it and has none."""
    declared = "settings_class = __import__('toy_plugin.settings').settings.Values"
    write_distribution(
        folder,
        "toy",
        apps_extra=declared if needs_settings else "",
        files={
            "hooks.py": HOOKS,
            "models.py": MODELS,
            "settings.py": SETTINGS,
            "migrations/__init__.py": "",
            "migrations/0001_initial.py": MIGRATION.format(body=body),
        },
    )
    write_distribution(folder, "toybox", requires=["toy-plugin>=1.0"])


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestDeployment]:
    """A deployment with identity migrated; the tests that use it only look."""
    folder = tmp_path_factory.mktemp("looked-at")
    with new_deployment(folder / "deployment", plugins=["identity"]) as made:
        assert made.call("migrate").code == 0
        made.path.append(folder / "wheels")
        write_toys(folder / "wheels", needs_settings=True)
        write_distribution(folder / "wheels", "old", requires=["platform-core>=99"])
        write_distribution(folder / "wheels", "torn", apps="import nothing_like_this\n")
        yield made


@pytest.fixture
def deployment(tmp_path: Path) -> Iterator[TestDeployment]:
    """A deployment with identity, not migrated yet."""
    with new_deployment(tmp_path / "deployment", plugins=["identity"]) as made:
        made.path.append(tmp_path / "wheels")
        yield made


def lists(deployment: TestDeployment) -> dict[str, list[str]]:
    section = tomllib.loads((deployment.folder / "platform.toml").read_text())["platform"]
    return {key: section[key] for key in ("plugins", "dormant_plugins")}


def tables(deployment: TestDeployment) -> set[str]:
    with psycopg.connect(deployment.database_url) as connection:
        rows = connection.execute("SELECT relname FROM pg_class WHERE relkind = 'r'").fetchall()
    return {name for (name,) in rows}


def names(part: Any, side: str = "gained") -> list[str]:
    return [one["name"] for one in part[side]]


def test_list_tells_every_state_without_a_database(migrated: TestDeployment) -> None:
    migrated.write(plugins=["identity", "torn", "absent"])
    try:
        answer = migrated.call(
            "plugin", "list", "--json", DATABASE_URL="postgresql://127.0.0.1:1/x"
        )
        shown = migrated.call("plugin", "list")
    finally:
        migrated.write(plugins=["identity"])

    assert answer.code == 0, answer.err
    found = {one["slug"]: one for one in answer.document["plugins"]}
    states = {slug: one["state"] for slug, one in found.items()}
    assert states["identity"] == "enabled"
    assert states["toybox"] == "available"
    assert states["old"] == "incompatible"
    assert states["torn"] == states["absent"] == "broken"
    assert found["toybox"]["requires"] == ["toy"]
    assert "platform-core>=99" in found["old"]["problems"][0]["message"]
    assert "nothing_like_this" in found["torn"]["problems"][0]["message"]
    assert "toybox" in shown.out


def test_show_tells_what_an_available_plugin_would_bring_and_no_secret(
    migrated: TestDeployment,
) -> None:
    answer = migrated.call("plugin", "show", "toy", "--json", PLUGIN_TOY_TOKEN=SECRET)
    shown = migrated.call("plugin", "show", "toy", PLUGIN_TOY_TOKEN=SECRET)

    assert answer.code == shown.code == 0, answer.out
    found = answer.document
    assert found["state"] == "available"
    assert found["contributions"]["permissions"] == [
        {"name": "toy.view_thing", "place": "toy_plugin/hooks.py:12"}
    ]
    settings = {one["name"]: one for one in found["settings"]}
    assert settings["token"]["source"] == "environment"
    assert settings["token"]["required"]
    assert settings["api_key"]["default"] == "(not shown)"
    assert (settings["seats"]["type"], settings["seats"]["default"]) == ("int", "12")
    assert found["migrations"] == [{"name": "0001_initial", "applied": False}]
    assert found["personal_data"] == ["toy_thing.name"]
    assert "toy.view_thing" in shown.out
    for text in (answer.out, answer.err, shown.out, shown.err):
        assert SECRET not in text
        assert "built-in-key" not in text


def test_show_of_a_plugin_that_is_not_installed_is_refused(migrated: TestDeployment) -> None:
    answer = migrated.call("plugin", "show", "nothing", "--json")

    assert answer.code == 1
    assert answer.problems[0]["code"] == "unknown_plugin"


def test_plan_says_in_truth_what_enabling_would_change(migrated: TestDeployment) -> None:
    before = (migrated.folder / "platform.toml").read_bytes(), tables(migrated)

    answer = migrated.call(
        "plugin", "plan", "--enable", "toybox", "--detailed-exitcode", "--json",
        PLUGIN_TOY_TOKEN=SECRET,
    )  # fmt: skip

    assert answer.code == 3, answer.out
    assert answer.document["target"] == {
        "plugins": ["identity", "toy", "toybox"],
        "dormant_plugins": [],
    }
    assert [(one["slug"], one["because"]) for one in answer.document["changes"]] == [
        ("toy", "toybox"),
        ("toybox", ""),
    ]
    found = answer.document["difference"]
    (migration,) = found["migrations"]
    assert (migration["app"], migration["name"]) == ("toy", "0001_initial")
    assert migration["risk"] == "unknown"
    assert "RunPython" in {one["kind"] for one in migration["operations"]}
    create, index = migration["statements"]
    assert create["sql"].startswith('CREATE TABLE "toy_thing"')
    assert create["risk"] == "none"
    assert [(one["table"], one["existing"]) for one in create["locks"]] == [("toy_thing", False)]
    assert (index["risk"], index["locks"][0]["mode"]) == ("high", "SHARE")
    assert index["locks"][0]["existing"]
    assert index["locks"][0]["table"] == "identity_user"
    assert found["tables"] == {"gained": [{"name": "toy_thing", "owner": "toy", "standing": False}]}
    assert found["personal_data"] == {"gained": [{"name": "toy_thing.name", "owner": "toy"}]}
    assert names(found["routes"]) == ["/api/v1/toy/greet/"]
    assert found["routes"]["gained"][0]["access"] == "signed_in"
    (permission,) = found["permissions"]["gained"]
    assert permission["name"] == "toy.view_thing"
    assert permission["roles"] == ["identity.owner", "toy.head", "toy.reader"]
    assert names(found["flags"]) == ["toy.new"]
    assert found["django_apps"]["gained"] == ["toy_plugin.apps.Config", "toybox_plugin.apps.Config"]
    assert {one["name"] for one in found["settings"]["toy"]} == {"token", "api_key", "seats"}
    assert SECRET not in answer.out
    assert (migrated.folder / "platform.toml").read_bytes() == before[0]
    assert tables(migrated) == before[1]


def test_plan_is_readable_and_its_hash_is_stable(migrated: TestDeployment) -> None:
    words = ("plugin", "plan", "--enable", "toy")
    shown = migrated.call(*words, PLUGIN_TOY_TOKEN=SECRET)
    with psycopg.connect(migrated.database_url, autocommit=True) as connection:
        connection.execute("ANALYZE identity_user")
    again = migrated.call(*words, "--json", PLUGIN_TOY_TOKEN=SECRET)

    assert shown.code == 0, shown.err
    for text in (
        "+ toy becomes enabled",
        "+ toy.0001_initial",
        "SHARE on identity_user (existing",
        "ACCESS EXCLUSIVE on toy_thing (new)",
        "+ toy.view_thing",
        "Plan: 1 to enable, 1 migration (risk unknown)",
        f"plugin apply --hash {again.document['hash']} --enable toy",
    ):
        assert text in shown.out
    assert SECRET not in shown.out


def test_plan_without_a_change_exits_with_zero(migrated: TestDeployment) -> None:
    answer = migrated.call("plugin", "plan", "--detailed-exitcode", "--json")

    assert answer.code == 0, answer.out
    assert not answer.document["changes_anything"]
    assert answer.document["difference"] == {}


def test_a_candidate_that_cannot_start_is_a_report(migrated: TestDeployment) -> None:
    missing = migrated.call("plugin", "plan", "--enable", "toy", "--detailed-exitcode", "--json")
    torn = migrated.call("plugin", "enable", "torn", "--json")
    unknown = migrated.call("plugin", "plan", "--enable", "nothing", "--json")

    assert [answer.code for answer in (missing, torn, unknown)] == [1, 1, 1]
    assert missing.problems[0]["place"] == "PLUGIN_TOY_TOKEN"
    assert torn.problems[0]["code"] == "apps_import_failed"
    assert unknown.problems[0]["code"] == "unknown_plugin"
    assert lists(migrated) == {"plugins": ["identity"], "dormant_plugins": []}


def test_the_plugin_with_the_user_model_cannot_be_disabled(migrated: TestDeployment) -> None:
    answer = migrated.call("plugin", "disable", "identity", "--json")

    assert answer.code == 1
    assert answer.problems[0]["code"] == "user_model_dormant"
    assert lists(migrated)["plugins"] == ["identity"]


def test_lists_from_the_environment_are_not_edited(migrated: TestDeployment) -> None:
    before = (migrated.folder / "platform.toml").read_bytes()
    for words in (("enable", "toybox"), ("disable", "toybox"), ("apply", "--hash", "x")):
        answer = migrated.call("plugin", *words, "--json", PLATFORM_PLUGINS="identity")

        assert answer.code == 1
        assert answer.problems[0]["code"] == "lists_from_environment"
    assert (migrated.folder / "platform.toml").read_bytes() == before


def test_a_plugin_comes_goes_dormant_with_its_dependents_and_comes_back(
    deployment: TestDeployment,
) -> None:
    write_toys(deployment.path[0])
    planned = deployment.call("plugin", "plan", "--enable", "toybox", "--json").document

    other = deployment.call(
        "plugin", "apply", "--hash", planned["hash"], "--enable", "toy", "--json"
    )
    assert other.code == 1
    assert other.problems[0]["code"] == "plan_changed"
    assert lists(deployment)["plugins"] == ["identity"]
    assert tables(deployment).isdisjoint({"toy_thing", "identity_user"})

    applied = deployment.call(
        "plugin", "apply", "--hash", planned["hash"], "--enable", "toybox", "--json"
    )
    assert applied.code == 0, applied.out
    assert "toy.0001_initial" in applied.document["applied"]
    assert lists(deployment)["plugins"] == ["identity", "toy", "toybox"]
    assert "toy_thing" in tables(deployment)

    leaving = deployment.call("plugin", "plan", "--disable", "toy", "--json").document
    assert [(one["slug"], one["after"]) for one in leaving["changes"]] == [
        ("toybox", "dormant"),
        ("toy", "dormant"),
    ]
    assert names(leaving["difference"]["permissions"], "lost") == ["toy.view_thing"]
    assert "tables" not in leaving["difference"]
    gone = deployment.call("plugin", "disable", "toy")
    assert gone.code == 0, gone.err
    assert "toybox becomes dormant and keeps its data, because it requires toy" in gone.out
    assert "platformctl migrate" in gone.out
    assert lists(deployment) == {"plugins": ["identity"], "dormant_plugins": ["toybox", "toy"]}

    back = deployment.call("plugin", "enable", "toy", "--json")
    assert back.document["changed"]
    assert lists(deployment) == {"plugins": ["identity", "toy"], "dormant_plugins": ["toybox"]}
    assert not deployment.call("plugin", "enable", "toy", "--json").document["changed"]


def test_a_plugin_that_was_never_migrated_leaves_the_lists_and_an_unreachable_database_keeps_it(
    deployment: TestDeployment,
) -> None:
    write_toys(deployment.path[0])
    deployment.write(plugins=["identity", "toy"])

    unreachable = deployment.call(
        "plugin", "disable", "toy", "--json", DATABASE_URL="postgresql://127.0.0.1:1/x"
    )
    assert unreachable.code == 0, unreachable.out
    assert lists(deployment) == {"plugins": ["identity"], "dormant_plugins": ["toy"]}

    deployment.write(plugins=["identity", "toy"])
    assert deployment.call("plugin", "disable", "toy").code == 0
    assert lists(deployment) == {"plugins": ["identity"], "dormant_plugins": []}


def test_a_failed_migration_puts_the_configuration_back(deployment: TestDeployment) -> None:
    write_toys(deployment.path[0], body="raise RuntimeError('boom')")
    file = deployment.folder / "platform.toml"
    file.write_text("# ours\n" + file.read_text())
    before = file.read_bytes()
    planned = deployment.call("plugin", "plan", "--enable", "toy", "--json").document

    answer = deployment.call(
        "plugin", "apply", "--hash", planned["hash"], "--enable", "toy", "--json"
    )

    assert answer.code == 1
    assert {one["code"] for one in answer.problems} == {"apply_failed", "command_failed"}
    assert file.read_bytes() == before
    assert "toy_thing" not in tables(deployment)
    assert deployment.call("check", "--json").problems[0]["code"] != "unlisted_plugin"
