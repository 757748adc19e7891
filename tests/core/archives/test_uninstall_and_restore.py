"""Education with OneRoster rows, history and grants: taken out, nothing left; put back, equal row by row."""

from __future__ import annotations

import stat
import tomllib
from pathlib import Path

import psycopg
import pytest

from tests.core.archives.conftest import Ground
from tests.core.archives.ground import ADMINS_ROLE, CLERK, facts_of, left_of


def test_nothing_is_left_and_the_archive_is_private(ground: Ground) -> None:
    assert left_of(ground.after) == []
    assert ground.document["grants"] == {
        "roles": 3,
        "inheritances": 1,
        "assignments": 4,
        "permissions": 1,
    }
    assert stat.S_IMODE(ground.archive.stat().st_mode) == 0o600
    assert list(ground.archive.parent.glob(".*.part")) == []
    assert not (ground.folder / "var" / "plugins" / "education").exists()
    lists = tomllib.loads((ground.folder / "platform.toml").read_text())["platform"]
    assert lists["plugins"] == ["identity"]
    with psycopg.connect(ground.after) as connection:
        role = connection.execute(
            "SELECT permissions, effective_permissions, version FROM identity_role WHERE id = %s",
            [ADMINS_ROLE],
        ).fetchone()
        removed = connection.execute(
            "SELECT count(*) FROM identity_historicalroleassignment WHERE history_type = '-'"
        ).fetchone()
    assert role == (["identity.view_user"], ["identity.view_user"], 2)
    assert removed == (4,)


def test_everything_returns_row_by_row(ground: Ground, tmp_path: Path) -> None:
    with ground.without_education(tmp_path / "site") as site:
        tried = site.call("plugin", "restore", str(ground.archive), "--dry-run", "--json")
        assert tried.code == 0, tried.out + tried.err
        assert left_of(site.database_url) == []

        done = site.call("plugin", "restore", str(ground.archive), "--json")

        assert done.code == 0, done.out + done.err
        assert done.document["state"] == "enabled"
        assert facts_of(site.database_url) == ground.facts
        logo = site.folder / "var" / "plugins" / "education" / "logos" / "north.svg"
        assert logo.read_text() == "<svg/>"


def test_a_restore_over_a_plugin_that_is_there_is_refused(ground: Ground, tmp_path: Path) -> None:
    with ground.with_education(tmp_path / "site") as site:
        answer = site.call("plugin", "restore", str(ground.archive), "--json")

        assert answer.code == 1
        assert [one["code"] for one in answer.problems] == ["already_there"]
        assert facts_of(site.database_url) == ground.facts


def test_what_the_rows_need_and_is_gone_is_told_before_anything_is_written(
    ground: Ground, tmp_path: Path
) -> None:
    with ground.without_education(tmp_path / "site") as site:
        with psycopg.connect(site.database_url) as connection:
            connection.execute("DELETE FROM identity_user WHERE id = %s", [CLERK])
            connection.execute("DELETE FROM identity_orgunit")

        refused = site.call("plugin", "restore", str(ground.archive), "--json")
        assert refused.code == 1, refused.out
        found = {one["place"]: one["message"] for one in refused.problems}
        assert set(found) == {
            "education_course.unit_id",
            "education_organisation.unit_id",
            "education_school.unit_id",
            "role_assignments.unit",
            "role_assignments.user",
        }
        assert str(CLERK) in found["role_assignments.user"]
        assert found["education_school.unit_id"].startswith("2 rows refer to identity_orgunit")
        assert left_of(site.database_url) == []

        done = site.call(
            "plugin", "restore", str(ground.archive), "--clear-missing", "--state", "dormant", "--json"
        )  # fmt: skip
        assert done.code == 0, done.out
        with psycopg.connect(site.database_url) as connection:
            schools = connection.execute("SELECT unit_id, version FROM education_school").fetchall()
            history = connection.execute(
                "SELECT unit_id, version, history_type FROM education_historicalschool "
                "WHERE history_change_reason LIKE 'restored%'"
            ).fetchall()
            given = connection.execute("SELECT count(*) FROM identity_roleassignment").fetchone()
            state = connection.execute(
                "SELECT state FROM platform_core_pluginrecord WHERE slug = 'education'"
            ).fetchone()
        assert [one[0] for one in schools] == [None, None]
        assert sorted(one[1] for one in schools) == sorted(one[1] for one in history)
        assert {one[2] for one in history} == {"~"}
        assert given == (1,)
        assert state == ("dormant",)


@pytest.mark.parametrize(
    ("slug", "words", "code"),
    [
        ("identity", ["--confirm", "identity"], "user_model_needed"),
        ("education", ["--confirm", "Education"], "not_confirmed"),
        ("nothing", ["--confirm", "nothing"], "unknown_plugin"),
    ],
)
def test_what_cannot_be_removed_is_refused(
    slug: str, words: list[str], code: str, ground: Ground, tmp_path: Path
) -> None:
    with ground.with_education(tmp_path / "site") as site:
        answer = site.call("plugin", "uninstall", slug, *words, "--json")

        assert answer.code == 1
        assert code in [one["code"] for one in answer.problems]
        assert facts_of(site.database_url) == ground.facts
        assert not (site.folder / "var" / "archives").exists()


def test_a_plugin_whose_wheel_is_gone_and_that_others_refer_to_is_refused_and_then_removed(
    ground: Ground, tmp_path: Path
) -> None:
    archive = tmp_path / "ghosts.zip"
    words = ("plugin", "uninstall", "ghosts", "--confirm", "ghosts", "--json")
    with ground.without_education(tmp_path / "site") as site:
        with psycopg.connect(site.database_url) as connection:
            connection.execute("CREATE TABLE ghosts_loan (id int PRIMARY KEY, note text)")
            connection.execute("INSERT INTO ghosts_loan VALUES (1, %s)", ["a\tb\\c\nd"])
            connection.execute("CREATE TABLE ghosts_house_room (loan int REFERENCES ghosts_loan)")
            for slug in ("ghosts", "ghosts_house"):
                connection.execute(
                    "INSERT INTO platform_core_pluginrecord (slug, distribution, version, state, digest, "
                    "first_seen_at, changed_at) VALUES (%s, 'x', '1', 'enabled', '', now(), now())",
                    [slug],
                )

        refused = site.call(*words)
        assert refused.code == 1
        assert [(one["plugin"], one["code"]) for one in refused.problems] == [
            ("ghosts_house", "still_referenced")
        ]
        with psycopg.connect(site.database_url) as connection:
            connection.execute("ALTER TABLE ghosts_house_room DROP COLUMN loan")

        done = site.call(*words, "--archive", str(archive))
        assert done.code == 0, done.out + done.err
        with psycopg.connect(site.database_url) as connection:
            left = connection.execute(
                "SELECT relname FROM pg_class WHERE relname LIKE 'ghosts%'"
            ).fetchall()
        assert left == [("ghosts_house_room",)]
        assert archive.exists()


def test_a_command_that_a_missing_plugin_stands_against_names_it(
    ground: Ground, tmp_path: Path
) -> None:
    with ground.without_education(tmp_path / "site") as site:
        with psycopg.connect(site.database_url) as connection:
            session = connection.execute(
                "INSERT INTO identity_loginsession (id, created_at, updated_at, version, user_id, "
                "kind, last_used_at, expires_at, session_key, user_agent, revoked_reason) "
                "VALUES (gen_random_uuid(), now(), now(), 1, %s, 'app', now(), "
                "now() - interval '1 year', '', '', '') RETURNING id",
                [CLERK],
            ).fetchone()
            connection.execute(
                "CREATE TABLE ghosts_visit (session uuid REFERENCES identity_loginsession "
                "DEFERRABLE INITIALLY DEFERRED)"
            )
            connection.execute("INSERT INTO ghosts_visit VALUES (%s)", session)
            connection.execute(
                "INSERT INTO django_migrations (app, name, applied) VALUES ('ghosts', '0001', now())"
            )

        answer = site.call("identity", "purge-sessions")

        assert answer.code == 1
        assert "ghosts ghosts_visit" in answer.err
        assert "1 rows still refer" in answer.err
        assert "platformctl plugin uninstall ghosts" in answer.err


def test_an_archive_is_never_overwritten(ground: Ground, tmp_path: Path) -> None:
    with ground.with_education(tmp_path / "site") as site:
        answer = site.call(
            "plugin", "uninstall", "education", "--confirm", "education",
            "--archive", str(ground.archive), "--json",
        )  # fmt: skip

    assert [one["code"] for one in answer.problems] == ["archive_exists"]
