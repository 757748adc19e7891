"""What ``/readyz`` tells: everybody whether checks are well, and this machine why not."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client

from platform_core.audit import Event, sealing
from platform_core.audit.recording import write_events
from platform_core.registry.observation import connected, read_state

pytestmark = pytest.mark.django_db


def ready(address: str, **headers: str) -> dict[str, Any]:
    answer = Client().get("/readyz", REMOTE_ADDR=address, headers=headers)
    body: dict[str, Any] = answer.json()
    return body


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.0.1", "::1"])
def test_a_process_of_this_machine_is_told_owners_details_and_digest(address: str) -> None:
    body = ready(address)

    assert body["digest"]
    assert {check["plugin"] for check in body["checks"]} >= {"platform_core", "identity"}
    assert all("detail" in check for check in body["checks"])


@pytest.mark.parametrize("host", ["localhost", "localhost:8000", "127.0.0.1:8000", "[::1]:8000"])
def test_this_machine_may_call_itself_by_any_of_its_own_names(host: str) -> None:
    assert "digest" in ready("127.0.0.1", Host=host)


@pytest.mark.parametrize(
    ("address", "headers"),
    [
        ("203.0.113.7", {}),
        ("2001:db8::7", {}),
        ("", {}),
        ("127.0.0.1", {"X-Forwarded-For": "203.0.113.7"}),
        ("127.0.0.1", {"X-Forwarded-Proto": "https"}),
        ("127.0.0.1", {"X-Real-IP": "127.0.0.1"}),
        ("127.0.0.1", {"Forwarded": "for=127.0.0.1"}),
        ("203.0.113.7", {"X-Forwarded-For": "127.0.0.1"}),
        ("127.0.0.1", {"Host": "page.example"}),
        ("127.0.0.1", {"Host": "localhost.example:8000"}),
    ],
    ids=str,
)
def test_everybody_else_is_told_which_checks_are_well(
    address: str, headers: dict[str, str]
) -> None:
    body = ready(address, **headers)

    assert set(body) == {"status", "checks"}
    assert {"database", "plugins"} <= {check["name"] for check in body["checks"]}
    for check in body["checks"]:
        assert set(check) == {"name", "healthy", "critical"}


def checks_and_numbers() -> tuple[dict[str, Any], dict[str, float]]:
    checks = {one["name"]: one for one in ready("127.0.0.1")["checks"]}
    text = Client().get("/metrics", headers={"Host": "localhost"}).content.decode()
    told = [line.split(" ") for line in text.splitlines() if line.startswith("platform_audit_")]
    return checks, {name: float(value) for name, value in told}


def test_an_audit_trail_that_nobody_seals_is_told_and_sealing_it_ends_that() -> None:
    write_events([Event(action="tested")] * 3)
    sealing._seal_batch(0)
    write_events([Event(action="tested")])
    assert checks_and_numbers()[0]["audit"]["healthy"]
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO platform_core_auditevent SELECT (jsonb_populate_record(one, jsonb_build_object("
            "'id', nextval('platform_core_auditevent_id_seq'), 'at', now() - interval '20 minutes'))).* "
            "FROM platform_core_auditevent AS one ORDER BY id DESC LIMIT 1"
        )
    checks, numbers = checks_and_numbers()
    assert not checks["audit"]["healthy"]
    assert not checks["audit"]["critical"]
    assert "2 events of the audit trail wait for their seal" in checks["audit"]["detail"]
    assert "platformctl audit seal" in checks["audit"]["detail"]
    assert numbers["platform_audit_unsealed_events"] == 2
    assert 1200 <= numbers["platform_audit_unsealed_seconds"] < 1500
    with connected(settings.PLATFORM.deployment) as other:
        assert read_state(other).unsealed.events >= 0

    sealing._seal_batch(0)
    checks, numbers = checks_and_numbers()
    assert checks["audit"]["healthy"]
    assert numbers == {"platform_audit_unsealed_events": 0, "platform_audit_unsealed_seconds": 0}
