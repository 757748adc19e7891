"""What requests cost is told by plugin: in metrics to this machine, in ``Server-Timing`` to whoever asks and may."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from django.conf import settings
from django.test import Client, override_settings

from platform_core.models import PluginRecord
from platform_core.observability.queries import count_queries, spent, watching
from platform_identity.models import User

pytestmark = pytest.mark.django_db

ASKED = {"X-Server-Timing": "1"}
ME = "/api/v1/identity/me/"


def entries(header: str) -> dict[str, str]:
    return {entry.partition(";")[0]: entry.partition(";")[2] for entry in header.split(", ")}


def requests_of(plugin: str) -> float:
    lines = Client().get("/metrics", REMOTE_ADDR="127.0.0.1").content.decode().splitlines()
    prefix = f'platform_request_seconds_count{{plugin="{plugin}",status="4xx"}} '
    return sum(float(line.removeprefix(prefix)) for line in lines if line.startswith(prefix))


@pytest.mark.parametrize(
    ("address", "headers"),
    [
        ("203.0.113.7", {}),
        ("127.0.0.1", {"X-Forwarded-For": "203.0.113.7"}),
        ("", {}),
    ],
    ids=str,
)
def test_metrics_do_not_exist_for_others(address: str, headers: dict[str, str]) -> None:
    assert Client().get("/metrics", REMOTE_ADDR=address, headers=headers).status_code == 404


def test_a_page_that_names_this_machine_reads_no_metrics() -> None:
    answer = Client().get("/metrics", REMOTE_ADDR="127.0.0.1", headers={"Host": "page.example"})
    assert answer.status_code == 400
    assert b"platform_request" not in answer.content


def test_a_request_counts_for_the_plugin_whose_route_answers() -> None:
    before = requests_of("identity"), requests_of("education")

    assert Client().get(ME).status_code == 401

    assert (requests_of("identity"), requests_of("education")) == (before[0] + 1, before[1])


def test_server_timing_tells_the_whole_the_statements_and_the_plugin() -> None:
    found = entries(Client().get(ME, headers=ASKED)["Server-Timing"])

    assert set(found) >= {"app", "db", "identity"}
    assert all("dur=" in entry for entry in found.values())
    assert 'desc="0 queries"' in found["db"]


def test_server_timing_tells_whose_tables_were_asked() -> None:
    found = entries(Client().get("/readyz", headers=ASKED)["Server-Timing"])

    assert "db-platform_core" in found
    assert "identity" not in found


def test_nobody_is_told_who_does_not_ask() -> None:
    assert "Server-Timing" not in Client().get(ME).headers
    assert "Server-Timing" not in Client().get(ME, headers={"X-Server-Timing": "yes"}).headers


@pytest.mark.parametrize(("wanted", "told"), [(None, False), (False, False), (True, True)])
def test_production_tells_only_when_the_setting_says_so(wanted: Any, told: bool) -> None:
    state = settings.PLATFORM
    core = state.deployment.core.model_copy(update={"server_timing": wanted})
    changed = replace(state, profile="prod", deployment=replace(state.deployment, core=core))

    with override_settings(PLATFORM=changed):
        answer = Client().get(ME, headers=ASKED)

    assert ("Server-Timing" in answer.headers) is told


def test_statements_are_told_apart_by_the_owner_of_their_table() -> None:
    count_queries()
    before = spent.statements

    with watching() as watch:
        User.objects.count()
        User.objects.filter(email="x").exists()
        PluginRecord.objects.count()

    assert {owner: count for owner, (count, _) in watch.by_owner.items()} == {
        "identity": 2,
        "platform_core": 1,
    }
    assert spent.statements == before + 3
