"""``plugin doctor`` finds what is planted, says what mends it, and works when little else does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from platform_core.audit.backlog import Backlog
from platform_core.registry.diagnosis_database import database_findings
from platform_core.registry.diagnosis_installation import installation_findings
from platform_core.registry.findings import Finding
from platform_core.registry.lists import Lists
from platform_core.registry.observation import DatabaseState
from platform_core.registry.situation import Situation
from tests.core.registry.deployments_to_look_at import tower
from tests.deployments import TestDeployment, write_distribution

FAULTS = """
CREATE TABLE nobodys (id integer);
DROP TABLE identity_historicalrole;
INSERT INTO django_content_type (app_label, model) VALUES ('bells', 'clapper');
INSERT INTO django_migrations (app, name, applied) VALUES ('ghost', '0001_initial', now());
INSERT INTO waffle_flag (name, superusers, staff, authenticated, languages, rollout, note, created, modified, testing)
    VALUES ('ghost.flag', false, false, false, '', false, '', now(), now(), false);
UPDATE identity_role SET effective_permissions = effective_permissions || '{ghost.haunt,chimes.ring_bell}'
    WHERE name = 'bells.ringer';
INSERT INTO platform_core_pluginrecord (slug, distribution, version, state, digest, first_seen_at, changed_at)
    VALUES ('ghost', 'ghost-plugin', '1.0', 'enabled', '', now(), now());
INSERT INTO platform_core_mail (id, template, plugin, language, recipient, recipient_digest, state, attempts, error, error_id,
    request_id, created_at) VALUES (gen_random_uuid(), 'bells.ring', 'bells', 'en', 'a…@example.org', '', 'failed', 8,
    'ConnectionRefusedError 111', '', '', now());
UPDATE platform_core_pluginrecord SET version = '0.9', contents_digest = 'other' WHERE slug = 'bells';
"""

MANY_UNITS = """
INSERT INTO identity_orgunit (id, created_at, updated_at, version, name, kind, path)
    SELECT gen_random_uuid(), now(), now(), 1, 'unit ' || number, '', '{}' FROM generate_series(1, 1000) AS number
"""


@pytest.fixture
def deployment(tmp_path: Path) -> Iterator[TestDeployment]:
    with tower(tmp_path, year=2020) as made:
        yield made


def by_code(answer: Any) -> dict[str, dict[str, Any]]:
    return {one["code"]: one for one in answer.document["findings"]}


def test_every_planted_fault_is_found_with_its_remedy(
    deployment: TestDeployment, tmp_path: Path
) -> None:
    before = deployment.call("plugin", "doctor", "--json")
    assert before.code == 0, before.out + before.err
    assert set(by_code(before)) == {"dormant_rows", "flag_expired"}
    with psycopg.connect(deployment.database_url) as connection:
        connection.execute(FAULTS)  # type: ignore[arg-type]
    data = deployment.folder / "var"
    data.chmod(0o755)
    (data / "secret_key").chmod(0o644)
    (data / "metrics").mkdir(exist_ok=True)
    (data / "metrics" / "counter_1.db").touch(0o644)  # numbers, whatever their mode
    deployment.write(
        plugins=["identity", "bells"], dormant=["chimes"], sections='[plugins.belz]\nhammer = "x"\n'
    )
    write_distribution(tmp_path / "twice", "gongs", version="2.0")
    deployment.path.append(tmp_path / "twice")
    write_distribution(tmp_path / "other", "gongs", distribution="other-gongs")
    deployment.path.append(tmp_path / "other")

    answer = deployment.call("plugin", "doctor", "--json", PLUGIN_BELZ_HAMMER="not-to-be-shown")

    found = by_code(answer)
    assert answer.code == 1
    assert {code for code, one in found.items() if one["severity"] == "error"} == {
        "digest_skew",
        "duplicate_distribution",
        "duplicate_slug",
        "history_table_missing",
        "secret_file_open",
        "unlisted_plugin",
    }
    assert {code for code, one in found.items() if one["severity"] == "warning"} == {
        "content_types_orphaned",
        "data_folder_open",
        "flag_expired",
        "flag_undeclared",
        "grants_unknown",
        "mails_failed",
        "table_without_owner",
        "unknown_section",
        "unknown_variable",
    }
    opened = [one for one in answer.document["findings"] if one["code"] == "secret_file_open"]
    assert [Path(one["where"]).name for one in opened] == ["secret_key"]
    assert found["grants_unknown"]["where"] == "ghost.haunt"
    assert found["history_table_missing"]["where"] == "identity_historicalrole"
    assert "synchronised with 0.9" in found["digest_skew"]["what"]
    assert "host and port in PLATFORM_EMAIL_URL" in found["mails_failed"]["mend"]
    assert found["dormant_rows"]["what"].startswith("It keeps 2 rows in 1 tables")
    assert all(one["why"] and one["mend"] and one["where"] for one in found.values())
    assert "not-to-be-shown" not in answer.out + answer.err


def test_the_flag_of_a_dormant_plugin_is_kept_though_nothing_remembers_its_declaration(
    deployment: TestDeployment,
) -> None:
    with psycopg.connect(deployment.database_url) as connection:
        connection.execute(
            "DELETE FROM platform_core_plugincontribution WHERE plugin_id = 'chimes'"
        )
        stored = connection.execute("SELECT name FROM waffle_flag").fetchall()

    found = by_code(deployment.call("plugin", "doctor", "--json"))

    assert ("chimes.loud",) in stored
    assert "flag_undeclared" not in found


def test_a_long_list_that_no_index_serves_in_its_order_is_found(deployment: TestDeployment) -> None:
    with psycopg.connect(deployment.database_url) as connection:
        connection.execute(MANY_UNITS)
    assert "order_without_index" not in by_code(deployment.call("plugin", "doctor", "--json"))
    with psycopg.connect(deployment.database_url) as connection:
        connection.execute("DROP INDEX identity_orgunit_order")

    found = by_code(deployment.call("plugin", "doctor", "--json"))["order_without_index"]

    assert (found["plugin"], found["where"]) == ("identity", "identity_orgunit")
    assert "org-units" in found["what"]
    assert "name" in found["mend"]


def test_it_goes_on_when_a_plugin_does_not_start_and_the_database_is_away(
    deployment: TestDeployment,
) -> None:
    hooks = deployment.path[0] / "bells_plugin" / "hooks.py"
    hooks.write_text("import no_such_module\n", encoding="utf-8")

    broken = deployment.call("plugin", "doctor", "--json")

    found = by_code(broken)
    assert broken.code == 1
    assert found["hooks_import_failed"]["plugin"] == "bells"
    assert found["hooks_import_failed"]["where"] == "bells_plugin/hooks.py:1"
    assert found["dormant_rows"]["plugin"] == "chimes"
    away = deployment.call(
        "plugin", "doctor", DATABASE_URL="postgresql://nobody@127.0.0.1:1/nothing"
    )
    assert away.code == 1
    assert "error hooks_import_failed  bells bells_plugin/hooks.py:1" in away.out
    assert "error database_unreachable" in away.out
    remembered = deployment.call("plugin", "explain", "bells.ring_bell", "--json").document
    (answer,) = remembered["answers"]
    assert (answer["owner"], answer["place"]) == ("bells", "bells_plugin/hooks.py:14")
    assert "The deployment does not start now" in answer["why"][0]


def situation(state: DatabaseState | None, **snapshot: Any) -> Situation:
    from django.conf import settings

    return Situation(
        deployment=settings.PLATFORM.deployment,
        lists=Lists(plugins=("identity",)),
        candidates={},
        snapshot=snapshot,
        database=state,
        database_error="It is away.",
    )


def codes(findings: Iterator[Finding]) -> set[str]:
    return {one.code for one in findings}


def test_an_old_server_absent_migrations_missing_tables_and_what_nobody_seals_are_found() -> None:
    state = DatabaseState(
        server_version=140_009,
        tables=frozenset({"django_migrations"}),
        migrations=frozenset({("ghost", "0001_initial")}),
        content_types=frozenset(),
        flags={},
        ledger={},
        rows={},
        unsealed=Backlog(events=5, seconds=1800.0),
    )
    booted = {"plugins": {}, "contents": {}, "models": [], "flags": {}, "migrations": {"bells": []}}
    waiting = [{"app": "bells", "name": "0002_more"}]

    found = codes(
        database_findings(
            situation(
                state,
                **booted,
                pending=waiting,
                tables={"bells_bell": "bells", "identity_x": "identity"},
            )
        )
    )

    assert found == {
        "audit_unsealed",
        "postgres_too_old",
        "migrations_pending",
        "migrations_unknown",
        "table_missing",
    }
    assert codes(database_findings(situation(None))) == {"database_unreachable"}


def test_a_full_disk_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    import shutil

    whole = shutil.disk_usage("/")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: whole._replace(free=1000))

    assert "disk_full" in codes(installation_findings(situation(None), environ={}))
