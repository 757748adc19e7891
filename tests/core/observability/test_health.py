"""What ``/readyz`` tells: everybody whether checks are well, and this machine why not."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

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
