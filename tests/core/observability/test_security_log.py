"""The security log: refusals are written centrally, events once they are true, and nothing of it is secret."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings
from django.db import transaction
from django.test import Client
from pytest_django import DjangoCaptureOnCommitCallbacks

from platform_core.access import Actor, acting_as
from platform_core.observability import pseudonym, security_event, security_refusal
from platform_core.observability.logging import SECURITY_LOGGER
from platform_identity.testing import PASSWORD, auth_header, make_owner, make_user, sign_in_client

USERS = "/api/v1/identity/users/"


class _Kept(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.entries: list[dict[str, Any]] = []

    def emit(self, record: logging.LogRecord) -> None:
        assert isinstance(record.msg, dict)
        self.entries.append(record.msg)


@pytest.fixture
def written() -> Iterator[list[dict[str, Any]]]:
    handler = _Kept()
    logger = logging.getLogger(SECURITY_LOGGER)
    logger.addHandler(handler)
    yield handler.entries
    logger.removeHandler(handler)


class TestEvents:
    """What ``security_event`` writes, and when."""

    @pytest.mark.django_db(transaction=True)
    def test_an_event_names_who_acts_in_which_request(self, written: list[dict[str, Any]]) -> None:
        actor, thing = Actor(uuid4(), "user", "person@example.org"), uuid4()
        with acting_as(actor, request_id="request-1"):
            security_event("tests.thing_done", thing=thing, count=3, nobody=None)

        (entry,) = written
        assert entry["event"] == "tests.thing_done"
        assert (entry["actor_kind"], entry["actor_id"]) == ("user", str(actor.id))
        assert entry["request_id"] == "request-1"
        assert (entry["thing"], entry["count"], entry["nobody"]) == (str(thing), 3, None)
        assert "person@example.org" not in str(entry)

    @pytest.mark.django_db(transaction=True)
    def test_what_is_rolled_back_did_not_happen(self, written: list[dict[str, Any]]) -> None:
        with transaction.atomic():
            security_event("tests.undone")
            security_refusal("tests.refused")
            transaction.set_rollback(True)
        assert [one["event"] for one in written] == ["tests.refused"]
        written.clear()

        with transaction.atomic(), acting_as(Actor(None, "anonymous")):
            security_event("tests.done")
            assert written == []
        assert [one["event"] for one in written] == ["tests.done"]
        assert written[0]["actor_kind"] == "anonymous"

    def test_a_pseudonym_is_stable_and_depends_on_the_secret_key(self, settings: Any) -> None:
        first = pseudonym("person@example.org")
        assert first == pseudonym("person@example.org") != pseudonym("other@example.org")
        settings.SECRET_KEY = "another-secret-key"
        assert pseudonym("person@example.org") != first


@pytest.mark.django_db
class TestRefusals:
    """Every 401 and 403 of the API, whichever view or middleware says so."""

    def test_nobody_s_refusal_is_written(
        self, client: Client, written: list[dict[str, Any]]
    ) -> None:
        answer = client.get(USERS + "?search=secret")

        (entry,) = written
        assert entry["event"] == "access_refused"
        assert (entry["status"], entry["code"]) == (401, "not_authenticated")
        assert (entry["method"], entry["path"], entry["actor_kind"]) == ("GET", USERS, "anonymous")
        assert entry["request_id"] == answer["X-Request-ID"] == answer.json()["request_id"]
        assert entry["ip"] == "127.0.0.1"

    def test_somebody_s_refusal_names_them(
        self, client: Client, written: list[dict[str, Any]]
    ) -> None:
        user = make_user()
        headers = auth_header(user)
        written.clear()

        assert (
            client.post(USERS, {}, content_type="application/json", headers=headers).status_code
            == 403
        )

        (entry,) = written
        assert (entry["status"], entry["actor_id"]) == (403, str(user.pk))

    def test_a_bad_token_is_written_without_the_token(
        self, client: Client, written: list[dict[str, Any]]
    ) -> None:
        client.get(USERS, headers={"Authorization": "Bearer something-secret"})
        assert written[0]["code"] == "invalid_token"
        assert "something-secret" not in json.dumps(written)

    def test_a_missing_csrf_token_is_a_written_problem(self, written: list[dict[str, Any]]) -> None:
        client = Client(enforce_csrf_checks=True)
        answer = client.post(
            "/api/v1/identity/auth/browser/v1/auth/login",
            {"email": "person@example.org", "password": PASSWORD},
            content_type="application/json",
        )

        assert answer.status_code == 403
        assert answer["Content-Type"] == "application/problem+json"
        assert [one["code"] for one in written if isinstance(one, dict)] == ["csrf_failed"]

    def test_what_is_allowed_and_what_is_asked_of_sign_in_is_not_written(
        self, client: Client, written: list[dict[str, Any]]
    ) -> None:
        headers = auth_header(make_owner())
        written.clear()
        assert client.get(USERS, headers=headers).status_code == 200
        session = client.get("/api/v1/identity/auth/app/v1/auth/session")
        assert session.status_code == 401
        assert written == []


@pytest.mark.django_db
class TestCaching:
    """What depends on who asks is kept by no cache."""

    @pytest.mark.parametrize(
        "path", [USERS, "/api/v1/identity/me/", "/api/v1/nothing/", "/api/openapi.json"]
    )
    def test_an_answer_of_the_api_is_not_stored(self, client: Client, path: str) -> None:
        answer = client.get(path, headers=auth_header(make_owner()))
        assert "no-store" in answer["Cache-Control"]

    def test_neither_are_cookies_answers(self, client: Client) -> None:
        sign_in_client(client, make_user())
        answer = client.get("/api/v1/identity/me/")
        assert answer.status_code == 200
        assert answer["Cache-Control"] == "private, no-store"
        assert settings.SESSION_COOKIE_NAME not in answer.cookies


@pytest.mark.django_db
def test_events_of_a_request_are_written_when_it_commits(
    client: Client,
    written: list[dict[str, Any]],
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    owner, user = make_owner(), make_user()
    with django_capture_on_commit_callbacks(execute=True):
        client.post(
            f"{USERS}{user.pk}/suspend/",
            content_type="application/json",
            headers=auth_header(owner),
        )

    entry = next(one for one in written if one["event"] == "identity.user_suspended")
    assert (entry["user"], entry["actor_id"]) == (str(user.pk), str(owner.pk))
