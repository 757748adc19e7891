"""Processes that loaded other plugins than the database was synchronised with are not ready, and say which."""

from __future__ import annotations

import datetime
from pathlib import Path

import psycopg
import pytest
from django.test import Client
from django.utils import timezone

from platform_core.contributions import Command
from platform_core.models import PluginContribution, PluginRecord
from platform_core.registry import Registry, installed
from platform_core.registry.contents import Entry, install
from platform_core.registry.ledger import database_problems, is_synchronised
from platform_core.registry.skew import Known, skew_between
from platform_core.registry.synchronisation import synchronise
from tests.deployments import new_deployment, write_distribution
from tests.served import serve

NOW = timezone.now()


def known(registry: Registry, slug: str, **changes: object) -> dict[str, Known]:
    found = {
        one.slug: Known(
            one.candidate.version,
            one.state,
            registry.digest(),
            registry.digest_of(one),
            NOW - datetime.timedelta(hours=1),
        )
        for one in registry.plugins
    }
    facts = {name: getattr(found[slug], name) for name in Known.__slots__}
    return found | {slug: Known(**{**facts, "contents_digest": "other", **changes})}  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "message", "way_out"),
    [
        ({"version": "99.0"}, "synchronised with 99.0 (enabled)", "Restart this process; if"),
        ({"version": "0.0.1"}, "synchronised with 0.0.1 (enabled)", "Run platformctl migrate."),
        ({"state": "dormant"}, "(dormant)", "Run platformctl migrate."),
        (
            {"state": "dormant", "changed_at": NOW + datetime.timedelta(minutes=1)},
            "(dormant)",
            "Restart this process, so that",
        ),
        ({}, "other contributions of identity", "Run platformctl migrate."),
    ],
)
def test_skew_names_the_plugin_and_the_way_out(
    changes: dict[str, object], message: str, way_out: str
) -> None:
    registry = installed()

    (problem,) = skew_between(registry, known(registry, "identity", **changes), started_at=NOW)

    assert (problem.plugin, problem.code) == ("identity", "digest_skew")
    assert message in problem.message
    assert problem.way_out.startswith(way_out)


def test_a_plugin_that_the_database_does_not_know_is_told() -> None:
    registry = installed()
    recorded = known(registry, "identity")
    del recorded["identity"]

    (problem,) = skew_between(registry, recorded, started_at=NOW)

    assert "the database does not know" in problem.message


@pytest.mark.django_db
def test_readiness_fails_when_the_ledger_has_another_digest_and_asks_few_questions(
    django_assert_max_num_queries: object,
) -> None:
    assert database_problems() == []
    with django_assert_max_num_queries(4):  # type: ignore[operator]
        assert database_problems() == []
    PluginRecord.objects.filter(slug="identity").update(
        contents_digest="other", digest="other", changed_at=NOW - datetime.timedelta(days=1)
    )

    answer = Client().get("/readyz", REMOTE_ADDR="127.0.0.1")

    assert answer.status_code == 503
    (check,) = [one for one in answer.json()["checks"] if one["name"] == "plugins"]
    assert "identity" in check["detail"]
    assert "platformctl migrate" in check["detail"]
    assert not is_synchronised()


@pytest.mark.django_db
def test_the_ledger_follows_what_is_contributed_and_keeps_when_it_came() -> None:
    registry = installed()
    before = {
        (row.plugin_id, row.kind, row.name): row.first_seen_at
        for row in PluginContribution.objects.all()
    }
    assert ("identity", "permissions", "identity.view_user") in before
    command = Command(name="ring", run=print, help="Ring.")
    entry = Entry(owner="identity", hook="commands", item=command, place="hooks.py:1")
    entries = {**registry.entries, "commands": (*registry.entries["commands"][1:], entry)}
    gone = registry.entries["commands"][0].key
    install(Registry(plugins=registry.plugins, entries=entries))
    try:
        assert not is_synchronised()
        synchronise()
        assert is_synchronised()
    finally:
        install(registry)

    rows = {(row.plugin_id, row.kind, row.name): row for row in PluginContribution.objects.all()}
    assert rows["identity", "commands", "ring"].place == "hooks.py:1"
    assert ("identity", "commands", gone) not in rows
    kept = before.keys() & rows.keys()
    assert len(kept) == len(before) - 1
    assert all(rows[key].first_seen_at == before[key] for key in kept)


def test_a_served_process_is_not_ready_after_another_one_synchronised_a_newer_version(
    tmp_path: Path,
) -> None:
    for version in ("1.0", "1.1"):
        write_distribution(tmp_path / version, "gong", version=version)
    with new_deployment(tmp_path / "deployment", plugins=["identity", "gong"]) as deployment:
        deployment.path = [tmp_path / "1.0"]
        environment = {
            name: value
            for name, value in deployment.environment().items()
            if name in ("DATABASE_URL", "PYTHONPATH")
        }
        with serve(
            deployment.folder, "--workers", "1", "--threads", "2", environment=environment
        ) as served:
            assert served.request("GET", "/readyz").status == 200
            deployment.path = [tmp_path / "1.1"]
            assert deployment.call("migrate").code == 0

            reply = served.request("GET", "/readyz")

            (check,) = [one for one in reply.document["checks"] if one["name"] == "plugins"]
            assert (reply.status, check["healthy"]) == (503, False)
            assert (
                "loaded gong 1.0 (enabled), but the database was synchronised with 1.1"
                in check["detail"]
            )
            assert "Restart this process" in check["detail"]
        deployment.path = [tmp_path / "1.0"]
        old = deployment.call("check", "--json")
        assert [(one["code"], one["plugin"]) for one in old.problems] == [("digest_skew", "gong")]
        with psycopg.connect(deployment.database_url) as connection:
            row = connection.execute(
                "SELECT version FROM platform_core_pluginrecord WHERE slug = 'gong'"
            ).fetchone()
        assert row == ("1.1",)
