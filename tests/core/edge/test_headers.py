"""The security headers are on whatever is answered, and foreign origins get in only when they are listed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.test import Client, override_settings

from platform_core.conf.deployment import CoreSettings
from platform_core.conf.settings import SettingsFailure, load_settings
from platform_core.edge.cors import EXPOSED, cors_settings, with_cors

EVERYWHERE = {
    "Content-Security-Policy",
    "Cross-Origin-Opener-Policy",
    "Cross-Origin-Resource-Policy",
    "Permissions-Policy",
    "Referrer-Policy",
    "X-Content-Type-Options",
    "X-Frame-Options",
}
APP = "https://app.example.org"
USERS = "/api/v1/identity/users/"

pytestmark = (
    pytest.mark.django_db
)  # whoever asks is counted, by a limit that may have been changed at run time


@pytest.mark.parametrize(
    ("path", "status", "extra"),
    [
        ("/livez", 200, {}),
        ("/readyz", 200, {}),
        ("/api/docs/", 200, {}),
        ("/api/openapi.json", 200, {}),
        ("/api/nowhere/", 404, {}),
        ("/nowhere/", 404, {}),
        (USERS, 401, {}),
        (USERS, 400, {"HTTP_HOST": "not-allowed.example.org"}),
    ],
)
def test_every_answer_has_them(path: str, status: int, extra: dict[str, Any]) -> None:
    client = Client(raise_request_exception=False, **extra)
    answer = client.get(path)
    assert answer.status_code == status
    assert set(answer.headers) >= EVERYWHERE
    assert "frame-ancestors 'none'" in answer["Content-Security-Policy"]
    assert "Strict-Transport-Security" not in answer


def test_a_body_that_is_too_large_is_refused_with_them() -> None:
    answer = Client().post(USERS, b"x", "application/json", CONTENT_LENGTH="3000000")
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    assert set(answer.headers) >= EVERYWHERE
    assert answer["X-Request-ID"]


def test_production_promises_https_on_every_secure_answer() -> None:
    promised = {
        "SECURE_HSTS_SECONDS": 60,
        "SECURE_HSTS_INCLUDE_SUBDOMAINS": True,
        "SECURE_HSTS_PRELOAD": False,
    }
    with override_settings(**promised):
        client = Client()
        assert client.get("/livez", secure=True)["Strict-Transport-Security"] == (
            "max-age=60; includeSubDomains"
        )
        assert "Strict-Transport-Security" not in client.get("/livez")


@pytest.fixture
def listed() -> Iterator[Client]:
    """A client of a deployment that lists one origin."""
    own = cors_settings([APP], credentials=True)
    with override_settings(MIDDLEWARE=with_cors(settings.MIDDLEWARE, [APP]), **own):
        yield Client()


def preflight(client: Client, origin: str, path: str = USERS) -> Any:
    return client.options(
        path,
        headers={
            "Origin": origin,
            "Access-Control-Request-Method": "PATCH",
            "Access-Control-Request-Headers": "authorization, if-match, idempotency-key",
        },
    )


def test_a_listed_origin_may_ask_without_signing_in_and_read_what_it_needs(listed: Client) -> None:
    answer = preflight(listed, APP)
    assert answer.status_code == 200
    assert answer["Access-Control-Allow-Origin"] == APP
    assert "PATCH" in answer["Access-Control-Allow-Methods"]
    for name in ("authorization", "if-match", "idempotency-key", "prefer"):
        assert name in answer["Access-Control-Allow-Headers"].split(", ")

    refused = listed.get(USERS, headers={"Origin": APP})  # refusals are readable too
    assert refused.status_code == 401
    assert refused["Access-Control-Allow-Origin"] == APP
    assert refused["Access-Control-Allow-Credentials"] == "true"
    exposed = set(refused["Access-Control-Expose-Headers"].split(", "))
    assert exposed == set(EXPOSED)
    assert exposed >= {"ETag", "Link", "Location", "RateLimit", "X-Request-ID", "Deprecation"}
    assert {"Origin", "Accept"} <= {one.strip().title() for one in refused["Vary"].split(",")}
    too_long = listed.post(
        USERS, b"x", "application/json", CONTENT_LENGTH="9999999", headers={"Origin": APP}
    )
    assert (too_long.status_code, too_long["Access-Control-Allow-Origin"]) == (413, APP)


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example.org",
        "https://app.example.org.evil.org",
        "https://evil-app.example.org",
        "http://app.example.org",
        "https://app.example.org:8443",
        "https://user@app.example.org",
        "null",
        "*",
        "",
    ],
)
def test_any_other_origin_gets_nothing(listed: Client, origin: str) -> None:
    for answer in (preflight(listed, origin), listed.get(USERS, headers={"Origin": origin})):
        assert not [name for name in answer.headers if name.startswith("Access-Control-")]
        assert "origin" in answer["Vary"].lower()  # no cache may give this answer to the listed one


def test_nothing_but_the_api_is_open_to_other_origins(listed: Client) -> None:
    answer = listed.get("/livez", headers={"Origin": APP})
    assert "Access-Control-Allow-Origin" not in answer


def test_without_a_list_there_is_no_answer_to_other_origins() -> None:
    assert with_cors(settings.MIDDLEWARE, []) == list(settings.MIDDLEWARE)
    assert "Access-Control-Allow-Origin" not in preflight(Client(), APP)


@pytest.mark.parametrize(
    "section",
    [
        {"cors_origins": ["*"]},
        {"cors_origins": ["https://*.example.org"]},
        {"cors_origins": ["https://app.example.org/"]},
        {"cors_origins": ["app.example.org"]},
        {"cors_origins": ["null"]},
        {"body_limits": {"csv": 5}},
        {"body_limits": {"text/csv": 0}},
    ],
)
def test_a_pattern_or_half_an_origin_is_refused_at_the_start(section: dict[str, Any]) -> None:
    with pytest.raises(SettingsFailure) as caught:
        load_settings(CoreSettings, "PLATFORM_", section=section, environ={})
    assert "write" in str(caught.value.problems[0])
