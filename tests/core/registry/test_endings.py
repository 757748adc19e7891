"""Plugins that end the interpreter, or keep it: they are named, held back alone, and can be repaired."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from platform_core.registry.discovery import Candidate
from platform_core.registry.endings import Ending
from tests.core.registry.broken_plugins import (
    ENDINGS,
    MODELS,
    QUARANTINE,
    SHORT,
    look,
    write_plugins,
)
from tests.deployments import TestDeployment, new_deployment, write_distribution

TOGETHER = [
    "leaves_apps",
    "crashes_models",
    "exits_models",
    "kills_hooks",
    "hangs_hooks",
    "recurses_calls",
]
CANDIDATES = {
    slug: (
        Candidate(
            slug=slug,
            value=f"{slug}_plugin.apps:Config",
            distribution=slug,
            version="1",
            summary="",
            requirements=(),
        ),
    )
    for slug in ("toy", "other")
}
CRASH = """\
Fatal Python error: Segmentation fault

Current thread 0x00007f (most recent call first):
  File "/usr/lib/python3.11/ctypes/__init__.py", line 517 in string_at
  File "/srv/lib/toy_plugin/checks.py", line 7 in look
  File "/srv/lib/other_plugin/views.py", line 9 in view
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestDeployment]:
    """A migrated deployment with identity, a plugin that is well, and every deadly one installed."""
    folder = tmp_path_factory.mktemp("endings")
    with new_deployment(folder / "site", plugins=["identity", "good"]) as made:
        made.path.append(folder / "wheels")
        write_plugins(folder / "wheels")
        assert made.call("migrate").code == 0
        yield made


def test_each_of_many_is_named_and_held_back_and_the_others_serve(site: TestDeployment) -> None:
    site.write(plugins=["identity", "good", *TOGETHER])

    found = look(site, **SHORT)
    listed = site.call("plugin", "list", "--json", **QUARANTINE, **SHORT)

    assert found["answers"] == [200, 401, 404]
    assert found["held"] == {slug: [ENDINGS[slug].standing, ""] for slug in TOGETHER}
    assert found["ready"][0] == "ready"
    codes = {
        one["slug"]: [problem["code"] for problem in one["problems"]]
        for one in listed.document["plugins"]
        if one["slug"] in TOGETHER
    }
    assert codes == {slug: [ENDINGS[slug].code] for slug in TOGETHER}


@pytest.mark.parametrize(
    ("slug", "code", "place"),
    [
        ("leaves_models", 3, "leaves_models_plugin.models"),
        ("crashes_hooks", -11, "crashes_hooks_plugin/hooks.py:2"),
        ("hangs_calls", 1, "hangs_calls_plugin/hooks.py:6"),
        ("exits_apps", 1, "exits_apps_plugin/apps.py:2"),
    ],
)
def test_without_quarantine_the_command_names_it_in_its_report(
    site: TestDeployment, slug: str, code: int, place: str
) -> None:
    site.write(plugins=["identity", "good", slug])

    told = site.call("check", "--json", **SHORT)

    assert told.code == code
    assert told.document["ok"] is False
    assert [(one["plugin"], one["code"], one["place"]) for one in told.problems] == [
        (slug, ENDINGS[slug].code, place)
    ]


def test_the_report_is_for_people_too(site: TestDeployment) -> None:
    site.write(plugins=["identity", "good", "kills_hooks"])

    told = site.call("check")

    assert told.code == -9
    assert "kills_hooks" in told.err
    assert "It ended the process while its hooks.py was imported." in told.err


@pytest.mark.parametrize("mode", ["fail", "quarantine"])
def test_one_whose_apps_end_every_process_is_seen_and_disabled(
    site: TestDeployment, mode: str
) -> None:
    site.write(plugins=["identity", "good", "leaves_apps"])
    variables = {"PLATFORM_ON_PLUGIN_ERROR": mode, **SHORT}

    listed = site.call("plugin", "list", "--json", **variables)
    disabled = site.call("plugin", "disable", "leaves_apps", "--json", **variables)
    enabled = site.call("plugin", "enable", "leaves_apps", "--json", **variables)

    (entry,) = [one for one in listed.document["plugins"] if one["slug"] == "leaves_apps"]
    assert entry["state"] == "broken"
    assert [one["code"] for one in entry["problems"]] == ["apps_ended_start"]
    assert disabled.code == 0, disabled.out
    assert enabled.code == 1
    assert {(one["plugin"], one["code"]) for one in enabled.problems} == {
        ("leaves_apps", "apps_ended_start")
    }
    assert "leaves_apps" not in (site.folder / "platform.toml").read_text(encoding="utf-8")


def test_one_that_has_tables_keeps_them_until_it_is_repaired(tmp_path: Path) -> None:
    files = {
        "models.py": MODELS,
        "migrations/__init__.py": "",
        "migrations/0001_initial.py": (
            "from django.db import migrations, models\n\n\nclass Migration(migrations.Migration):\n"
            '    operations = [migrations.CreateModel("Thing", [\n'
            '        ("id", models.BigAutoField(primary_key=True)), ("name", models.TextField())])]\n'
        ),
    }
    wheels = write_distribution(tmp_path / "wheels", "keeper", files=files)
    models = wheels / "keeper_plugin" / "models.py"
    with new_deployment(tmp_path / "site", plugins=["identity", "keeper"]) as made:
        made.path.append(wheels)
        assert made.call("migrate", **QUARANTINE).code == 0
        with psycopg.connect(made.database_url, autocommit=True) as connection:
            connection.execute("INSERT INTO keeper_thing (name) VALUES ('kept')")

        models.write_text("import os\nos._exit(3)\n", encoding="utf-8")
        migrated = made.call("migrate", **QUARANTINE)
        found = look(made)
        models.write_text(MODELS, encoding="utf-8")
        mended = made.call("migrate", **QUARANTINE)
        with psycopg.connect(made.database_url) as connection:
            rows = connection.execute("SELECT name FROM keeper_thing").fetchall()
            state = connection.execute(
                "SELECT state FROM platform_core_pluginrecord WHERE slug = 'keeper'"
            ).fetchone()

    assert migrated.code == 0, migrated.err
    assert found["held"] == {"keeper": ["broken", ""]}
    assert mended.code == 0, mended.err
    assert (rows, state) == ([("kept",)], ("enabled",))


def test_the_plugin_with_the_user_model_stops_the_start_with_its_name(site: TestDeployment) -> None:
    write_distribution(
        site.path[0],
        "people",
        apps_extra='auth_user_model = "people.User"',
        files={"models.py": "import os\nos._exit(3)\n"},
    )
    site.write(plugins=["people", "good"])

    told = site.call("check", "--json", **QUARANTINE)

    assert told.code == 1
    assert ("people", "models_ended_start") in {
        (one["plugin"], one["code"]) for one in told.problems
    }


def test_between_steps_the_innermost_frame_of_a_plugin_names_it() -> None:
    problem = Ending(f"@toy hooks\n@\n{CRASH}", -11).problem(CANDIDATES)

    assert problem is not None
    assert (problem.plugin, problem.code) == ("toy", "start_ended")
    assert problem.place == "toy_plugin/checks.py:7"
    assert problem.message == "It ended the process by SIGSEGV while its code ran."


def test_within_a_step_it_is_the_plugin_whose_step_it_is() -> None:
    problem = Ending(f"@\n@other calls\n{CRASH}", -11).problem(CANDIDATES)

    assert problem is not None
    assert (problem.plugin, problem.code) == ("other", "calls_ended_start")
    assert problem.place == "other_plugin/views.py:9"


@pytest.mark.parametrize("told", ["", "@\n", "@toy hooks\n@\n"])
def test_an_end_between_steps_without_a_trace_has_no_name(told: str) -> None:
    assert Ending(told, 3).problem(CANDIDATES) is None
