"""``platformctl audit`` on a deployment of its own, through backup, restore and a change behind its back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.deployments import TestDeployment, new_deployment

TABLES = ("platform_core_auditevent", "platform_core_auditpayload", "platform_core_auditseal")


@pytest.fixture
def deployment(tmp_path: Path, transactional_db: None) -> Iterator[TestDeployment]:
    with new_deployment(tmp_path / "site") as made:
        done(made, "migrate")
        yield made


def test_lists_of_plugins_and_changed_settings_are_told_by_name(
    deployment: TestDeployment,
) -> None:
    done(deployment, "plugin", "enable", "education")
    assert actions(deployment)[-1] == (
        "plugins.listed",
        "command line",
        "platformctl plugin enable",
    )

    done(deployment, "migrate")

    told = run(
        deployment,
        "SELECT target_id, details->'settings' FROM platform_core_auditevent"
        " WHERE action = 'configuration.changed'",
    )
    assert told == [("migrate", ["PLATFORM_PLUGINS"])]


def done(deployment: TestDeployment, *words: str, code: int = 0) -> dict[str, object]:
    answer = deployment.call(*words, "--json")
    assert answer.code == code, answer.out + answer.err
    found: dict[str, object] = answer.document
    return found


def actions(deployment: TestDeployment) -> list[tuple[str, str, str]]:
    return run(
        deployment, "SELECT action, actor_label, reason FROM platform_core_auditevent ORDER BY id"
    )


def run(deployment: TestDeployment, statement: str) -> list[tuple[str, str, str]]:
    with psycopg.connect(deployment.database_url) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


def test_operators_are_in_the_trail_and_it_comes_through_backup_and_restore(
    deployment: TestDeployment,
) -> None:
    create = ("user", "create", "someone@example.org", "--owner", "--generate-password")
    done(deployment, *create)
    told = actions(deployment)
    assert ("plugin.enabled", "command line", "platformctl migrate") in told
    assert told[-1] == ("identity.user_created", "command line", "user create")
    (payload,) = run(
        deployment, "SELECT content FROM platform_core_auditpayload ORDER BY event_id DESC LIMIT 1"
    )
    assert "account" in payload[0]
    assert done(deployment, "audit", "seal")["sealed"] == len(told)
    assert done(deployment, "audit", "verify")["broken"] is None

    backup = done(deployment, "db", "backup")
    assert actions(deployment)[-1][0] == "backup.made"
    done(deployment, "audit", "seal")
    done(deployment, "db", "restore", str(backup["path"]), "--confirm", deployment.folder.name)
    assert actions(deployment)[-1][0] == "backup.restored"
    assert done(deployment, "audit", "verify")["broken"] is None
    done(deployment, "audit", "seal")
    verdict = done(deployment, "audit", "verify")
    assert (verdict["broken"], verdict["sealed"]) == (None, len(told) + 1)
    for table in TABLES:
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="append-only"):
            run(deployment, f"DELETE FROM {table}")


def test_a_change_behind_its_back_is_named_and_a_checkpoint_file_elsewhere_judges_too(
    deployment: TestDeployment, tmp_path: Path
) -> None:
    done(deployment, "audit", "seal")
    shown = done(deployment, "audit", "checkpoint")
    copy, key = tmp_path / "copy.jsonl", tmp_path / "key.pem"
    copy.write_bytes(Path(str(shown["file"])).read_bytes())
    key.write_text(str(shown["public_key"]), encoding="ascii")
    elsewhere = ("audit", "verify", "--checkpoints", str(copy), "--public-key", str(key))
    assert done(deployment, *elsewhere)["broken"] is None

    run(deployment, "ALTER TABLE platform_core_auditevent DISABLE TRIGGER USER")
    run(deployment, "UPDATE platform_core_auditevent SET reason = 'none' WHERE id = 1")
    broken = done(deployment, "audit", "verify", code=1)["broken"]
    assert isinstance(broken, dict)
    assert (broken["fault"], broken["record"], broken["number"]) == ("changed", "event", 1)
    assert done(deployment, *elsewhere, code=1)["broken"] == broken
    said = deployment.call("audit", "verify")
    assert (said.code, "changed: event 1" in said.out) == (1, True)


def test_what_is_personal_is_erased_with_a_reason(deployment: TestDeployment) -> None:
    done(deployment, "user", "create", "a@example.org", "--generate-password")
    ids = [
        str(one[0])
        for one in run(deployment, "SELECT event_id FROM platform_core_auditpayload ORDER BY 1")
    ]
    refused = deployment.call("audit", "erase", "--reason", "asked for", "--json")
    assert (refused.code, refused.problems[0]["code"]) == (1, "nothing_to_erase")
    erased = done(
        deployment, "audit", "erase", "--event", ids[0], "--event", ids[1], "--reason", "asked for"
    )
    assert erased["erased"] == [int(ids[0]), int(ids[1])]
    done(deployment, "audit", "seal")
    verdict = done(deployment, "audit", "verify")
    assert (verdict["broken"], verdict["erased"]) == (None, 2)
