"""Commands on a database that has not run the core's own migrations say so, and change nothing."""

from __future__ import annotations

from pathlib import Path

import psycopg

from tests.core.archives.conftest import Ground
from tests.core.archives.ground import facts_of, left_of

BEHIND = """
DROP TABLE platform_core_auditevent, platform_core_auditpayload, platform_core_auditseal CASCADE;
DROP TABLE platform_core_event, platform_core_eventdelivery CASCADE;
DELETE FROM django_migrations WHERE app = 'platform_core' AND name >= '0005';
"""


def go_back(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute(BEHIND)  # type: ignore[arg-type]


def test_a_plugin_is_neither_removed_nor_restored_before_the_core_is_migrated(
    ground: Ground, tmp_path: Path
) -> None:
    with ground.with_education(tmp_path / "with") as site:
        go_back(site.database_url)
        refused = site.call("plugin", "uninstall", "education", "--confirm", "education", "--json")
        assert [one["code"] for one in refused.problems] == ["migrations_pending"]
        assert refused.problems[0]["way_out"] == "Run platformctl migrate."
        assert facts_of(site.database_url) == ground.facts
    with ground.without_education(tmp_path / "without") as site:
        go_back(site.database_url)
        refused = site.call("plugin", "restore", str(ground.archive), "--json")
        assert [one["code"] for one in refused.problems] == ["migrations_pending"]
        assert left_of(site.database_url) == []

        for words in (["events", "list"], ["audit", "verify"]):
            answer = site.call(*words, "--json")
            assert (answer.code, "Traceback" in answer.err) == (1, False), answer.err
            assert [one["code"] for one in answer.problems] == ["not_migrated"]
            assert "platformctl migrate" in answer.problems[0]["way_out"]
        assert site.call("db", "backup").code == 0
