"""Quarantine: a broken plugin changes its own status and nothing else, and is not tried again until something changes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.core.registry.broken_plugins import (
    BROKEN,
    EVERYTHING,
    QUARANTINE,
    ROUTE,
    SHORT,
    fault_of,
    look,
    write_plugins,
)
from tests.deployments import TestDeployment, new_deployment, write_distribution


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestDeployment]:
    """A migrated deployment with identity, a plugin that is well, and every broken one installed."""
    folder = tmp_path_factory.mktemp("quarantine")
    with new_deployment(folder / "site", plugins=["identity", "good"]) as made:
        made.path.append(folder / "wheels")
        write_plugins(folder / "wheels")
        assert made.call("migrate").code == 0
        yield made


@pytest.mark.parametrize("slug", ["models", "raising", "unset"])
def test_a_broken_plugin_changes_only_its_own_status(site: TestDeployment, slug: str) -> None:
    site.write(plugins=["identity", "good", slug])

    assert fault_of(look(site), slug) == ""


def test_all_broken_plugins_together_leave_the_others_serving(
    site: TestDeployment, tmp_path: Path
) -> None:
    with new_deployment(tmp_path / "all", plugins=EVERYTHING) as made:
        made.path += site.path
        migrated = made.call("migrate", "--json", **QUARANTINE)
        found = look(made, RUN="1")
        checked = made.call("check", "--json", **QUARANTINE)
        listed = made.call("plugin", "list", "--json", **QUARANTINE)
        shown = made.call("plugin", "list", **QUARANTINE)
        with psycopg.connect(made.database_url) as connection:
            ledger = dict(
                connection.execute("SELECT slug, state FROM platform_core_pluginrecord").fetchall()
            )

    assert migrated.code == 0, migrated.out + migrated.err
    assert found["answers"] == [200, 401, 404]
    held = {slug: [one.standing, ""] for slug, one in BROKEN.items()}
    held |= {"needy": ["quarantined", "raising"], "lost": ["broken", ""]}
    assert found["held"] == held
    assert {line.partition(" is ")[0] for line in found["lines"]} >= set(held)
    assert found["ready"][0] == "ready"
    assert not found["ready"][1]["critical"]
    warnings = [json.loads(line) for line in found["stderr"].splitlines() if line[:1] == "{"]
    assert {one["plugin"] for one in warnings if one["level"] == "warning"} >= set(held)
    assert checked.code == 4
    assert {one["slug"] for one in checked.document["held_back"]} == set(held)
    states = {one["slug"]: one for one in listed.document["plugins"]}
    assert {slug: states[slug]["state"] for slug in held} == {
        slug: standing for slug, (standing, _) in held.items()
    }
    codes = {slug: {one["code"] for one in states[slug]["problems"]} for slug in BROKEN}
    assert codes == {slug: {one.code} for slug, one in BROKEN.items()}
    assert states["good"]["state"] == "enabled"
    assert "needy: held back, because it requires raising" in shown.out
    assert ledger == {
        "identity": "enabled",
        "good": "enabled",
        **{slug: one for slug, (one, _) in held.items() if one == "quarantined"},
    }


def counting(file: Path, text: str) -> str:
    """Return hooks that note in ``file`` whenever they are imported, which quarantine does only to try them out."""
    return f"open({str(file)!r}, 'a').write('x')\n{text}"


def test_a_plugin_is_tried_again_only_when_its_distribution_changes(tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    with new_deployment(tmp_path / "site", plugins=["identity", "toy"]) as made:
        made.path.append(tmp_path / "wheels")
        home = tmp_path / "wheels" / "toy_plugin"
        write_distribution(
            tmp_path / "wheels",
            "toy",
            files={"hooks.py": counting(notes, BROKEN["raising"].arguments["files"]["hooks.py"])},
        )
        for command in (["migrate"], ["check"], ["migrate"]):
            assert made.call(*command, **QUARANTINE).code in {0, 4}
        first = notes.read_text()
        verdict = made.folder / "var" / "quarantine.json"
        mode = verdict.stat().st_mode & 0o777
        (home / "new.py").write_text("", encoding="utf-8")
        again = made.call("check", **QUARANTINE)
        second = notes.read_text()
        (home / "hooks.py").write_text(counting(notes, ROUTE), encoding="utf-8")
        waiting = made.call("check", "--json", **QUARANTINE)
        made.call("migrate", **QUARANTINE)
        mended = made.call("check", "--json", **QUARANTINE)
        (home / "models.py").write_text("import nothing_like_this\n", encoding="utf-8")
        left_out = made.call("migrate", "--json", **QUARANTINE)
        with psycopg.connect(made.database_url) as connection:
            ledger = connection.execute(
                "SELECT state FROM platform_core_pluginrecord WHERE slug = 'toy'"
            ).fetchone()

    assert (first, second) == ("x", "xx")
    assert mode == 0o600
    assert again.code == 4
    assert "toy is quarantined" in again.out
    assert [one["code"] for one in waiting.problems] == ["digest_skew"]
    assert mended.code == 0, mended.out
    assert mended.document["held_back"] == []
    assert left_out.code == 0, left_out.out
    assert ledger == ("broken",)


PROTECTS = (
    "from django.db import models\n\n\nclass Thing(models.Model):\n"
    '    owner = models.ForeignKey("identity.User", models.PROTECT)\n'
)
MIGRATION = (
    "from django.db import migrations\n\n\nclass Migration(migrations.Migration):\n"
    '    dependencies = [("nobody", "0001_initial")]\n'
)


def test_what_stops_django_itself_is_given_to_its_plugin(tmp_path: Path) -> None:
    with new_deployment(tmp_path / "site") as made:
        wheels = tmp_path / "wheels"
        made.path.append(wheels)
        assert made.call("migrate").code == 0
        write_distribution(wheels, "leaves", files={"hooks.py": "raise SystemExit(3)\n"})
        write_distribution(wheels, "lacks", apps_extra='django_apps = ("no_such_app",)')
        write_distribution(
            wheels, "backend", apps_extra='authentication_backends = ("backend_plugin.no.Such",)'
        )
        write_distribution(
            wheels,
            "dangling",
            files={"migrations/__init__.py": "", "migrations/0001_initial.py": MIGRATION},
        )
        write_distribution(wheels, "protects", files={"models.py": PROTECTS})
        made.write(plugins=["identity", "leaves", "lacks", "backend", "dangling", "protects"])

        found = look(made)
        checked = made.call("check", "--json", **QUARANTINE)

    assert found["answers"] == [404, 401, 404]
    assert {slug: state for slug, (state, _) in found["held"].items()} == {
        "leaves": "quarantined",
        "backend": "quarantined",
        "protects": "quarantined",
        "lacks": "broken",
        "dangling": "broken",
    }
    assert checked.code == 4, checked.out


def test_the_plugin_with_the_user_model_cannot_be_held_back(tmp_path: Path) -> None:
    with new_deployment(tmp_path / "site", plugins=["people", "toy"]) as made:
        made.path.append(tmp_path / "wheels")
        write_distribution(
            tmp_path / "wheels",
            "people",
            apps_extra='auth_user_model = "people.User"',
            files={"models.py": "import nothing_like_this\n"},
        )
        write_distribution(tmp_path / "wheels", "toy", apps="import nothing_like_this\n")

        answer = made.call("check", "--json", **QUARANTINE)

    assert answer.code == 1
    assert {(one["plugin"], one["code"]) for one in answer.problems} == {
        ("people", "models_import_failed"),
        ("toy", "apps_import_failed"),
    }


def test_in_safe_mode_only_the_user_model_is_awake_and_the_operator_can_repair(
    site: TestDeployment,
) -> None:
    site.write(plugins=["identity", "good", "models"])
    safe = {"PLATFORM_SAFE_MODE": "true", "PLATFORM_ON_PLUGIN_ERROR": "fail", **SHORT}

    found = look(site, **safe)
    listed = site.call("plugin", "list", **safe)
    planned = site.call("plugin", "plan", "--disable", "models", "--json", **safe)
    disabled = site.call("plugin", "disable", "models", "--json", **safe)

    assert found["answers"] == [404, 401, 404]
    assert found["held"] == {"good": ["safe_mode", ""], "models": ["broken", ""]}
    assert "good: dormant, because the deployment is in safe mode" in listed.out
    assert planned.code == 0, planned.out
    assert [one["slug"] for one in planned.document["changes"]] == ["models"]
    assert disabled.code == 0, disabled.out
    assert "models" not in (site.folder / "platform.toml").read_text(encoding="utf-8")


def test_a_plugin_that_would_be_held_back_is_not_enabled(site: TestDeployment) -> None:
    site.write(plugins=["identity", "good", "hooks"])
    assert site.call("check", **QUARANTINE).code == 4

    refused = site.call("plugin", "enable", "raising", "--json", **QUARANTINE, **SHORT)
    well = site.call("plugin", "disable", "good", "--json", **QUARANTINE, **SHORT)

    assert refused.code == 1
    assert {one["plugin"] for one in refused.problems} == {"raising"}
    assert well.code == 0, well.out
