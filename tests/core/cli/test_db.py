"""``platformctl db`` as operators call it, on an embedded server and on one of their own."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from platform_core.backups.listing import stored_backups
from platform_core.conf.database import embedded_postgres
from tests.core.cli.test_run import wait_until
from tests.deployments import TestDeployment, new_deployment
from tests.served import serve

LEDGER = """
CREATE TABLE platform_core_pluginrecord
    (slug text, distribution text, version text, state text);
INSERT INTO platform_core_pluginrecord VALUES ('library', 'library-plugin', '2.0', 'enabled');
CREATE TABLE django_migrations (id serial, app text, name text);
INSERT INTO django_migrations (app, name) VALUES ('platform_core', '9999_future');
"""


@pytest.fixture
def embedded(tmp_path: Path) -> TestDeployment:
    """A deployment on an embedded server, in a private folder whose name has a space and an accent."""
    folder = tmp_path / "école du nord"
    folder.mkdir(mode=0o700)
    deployment = TestDeployment(folder, "")
    deployment.write(plugins=["identity"])
    return deployment


def test_a_started_server_outlives_other_commands_until_it_is_stopped(
    embedded: TestDeployment,
) -> None:
    server = embedded_postgres(embedded.folder / "var")
    try:
        assert embedded.call("db", "start", "--json", DATABASE_URL="").code == 0
        info = server.running()
        assert info is not None
        shell = embedded.call("db", "shell", "--", "-Atc", "select 6 * 7", DATABASE_URL="")
        assert shell.out == "42\n"
        wrong = embedded.call("db", "shell", "--", "-c", "select wrong", DATABASE_URL="")
        assert wrong.code == 1
        assert server.running() == info

        status = embedded.call("db", "status", "--json", DATABASE_URL="").document

        assert (status["kind"], status["running"], status["kept_running"]) == (
            "embedded",
            True,
            True,
        )
        assert (status["pid"], status["version"][:3]) == (info.pid, "18.")
        assert info.password not in str(status)
        stopped = embedded.call("db", "stop", "--json", DATABASE_URL="").document
        assert stopped["was_running"] is True
        assert server.running() is None
        shown = embedded.call("db", "status", DATABASE_URL="").out
        assert "running" in shown
        assert embedded.call("db", "shell", "--", "-c", "select 1", DATABASE_URL="").code == 0
        assert server.running() is None
    finally:
        server.stop(mode="immediate")


def test_run_makes_the_backup_that_was_missed_and_guards_its_database(
    embedded: TestDeployment,
) -> None:
    folder = embedded.folder / "var" / "backups"
    with serve(embedded.folder, environment={"PLATFORM_BACKUP_AT": "02:30"}) as served:
        assert wait_until(lambda: bool(stored_backups(folder)), 60)
        (backup,) = stored_backups(folder)
        assert backup.verified
        log = embedded.folder / "var" / "logs" / "application.log"
        assert wait_until(
            lambda: log.exists() and "scheduled backup made" in log.read_text("utf-8")
        )
        checks = served.request("GET", "/readyz").document["checks"]
        assert {c["name"]: c["healthy"] for c in checks}["backup"] is True

        words = ["--confirm", embedded.folder.name, "--json"]
        restored = embedded.call("db", "restore", str(backup.path), *words, DATABASE_URL="")
        stopped = embedded.call("db", "stop", "--json", DATABASE_URL="")
        upgraded = embedded.call("db", "upgrade", "--json", DATABASE_URL="")

        for refused in (restored, stopped, upgraded):
            assert (refused.code, refused.problems[0]["code"]) == (1, "database_in_use")
        assert served.request("GET", "/readyz").status == 200
    unconfirmed = embedded.call("db", "restore", str(backup.path), "--json", DATABASE_URL="")
    assert unconfirmed.problems[0]["code"] == "not_confirmed"
    restored = embedded.call("db", "restore", str(backup.path), *words, DATABASE_URL="")
    assert restored.code == 0, restored.out
    assert embedded.call("check", "--json", DATABASE_URL="").code == 0


def test_a_backup_that_code_and_plugins_cannot_take_is_refused(tmp_path: Path) -> None:
    with new_deployment(tmp_path / "place", plugins=["identity"]) as deployment:
        with psycopg.connect(deployment.database_url, autocommit=True) as connection:
            connection.execute(LEDGER.encode())
        made = deployment.call("db", "backup", "--json", "--no-verify", "--to", str(tmp_path))
        assert made.code == 0, made.out

        refused = deployment.call("db", "restore", made.document["path"], "--dry-run", "--json")

    assert refused.code == 1
    found = {problem["code"]: problem for problem in refused.problems}
    assert set(found) == {"plugin_missing", "database_newer"}
    assert "library-plugin==2.0" in found["plugin_missing"]["way_out"]
    assert found["database_newer"]["place"] == "9999_future"


def test_a_server_of_ones_own_is_backed_up_but_not_managed(tmp_path: Path) -> None:
    with new_deployment(tmp_path / "place", plugins=["identity"]) as deployment:
        password = urlsplit(os.environ["DATABASE_URL"]).password or ""
        status = deployment.call("db", "status", "--json")
        assert status.document["kind"] == "DATABASE_URL"
        assert password not in status.out
        refused = deployment.call("db", "upgrade", "--json")
        assert (refused.code, refused.problems[0]["code"]) == (1, "not_embedded")
        kept = deployment.call("db", "backup", "--keep", "2", "--no-verify", "--json")
        assert kept.problems[0]["code"] == "keep_needs_verification"
        nothing = deployment.call("db", "restore", "--json")
        assert nothing.problems[0]["code"] == "no_backup"
        nowhere = deployment.call("db", "backup", "--to", "nowhere/file.zip", "--json")
        assert nowhere.problems[0]["code"] == "no_place"
        refused = deployment.call("db", "backup", "--to", "/proc", "--json")
        assert refused.problems[0]["code"] == "file_refused"
        unreachable = deployment.call(
            "db", "backup", "--json", DATABASE_URL="postgresql://u:geheim@127.0.0.1:1/none"
        )
        assert unreachable.code == 1, unreachable.out + unreachable.err
        assert unreachable.problems[0]["code"] == "database_unreachable"
        assert "geheim" not in unreachable.out + unreachable.err
        made = deployment.call("db", "backup", "--to", str(tmp_path / "one.zip"))
        assert made.code == 0
        assert "verified by a restore" in made.out
