"""Signing in and out through the real addresses, with tokens and with a cookie."""

from __future__ import annotations

import json
import logging
import re
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth import authenticate
from django.core import mail
from django.core.cache import cache
from django.db import connection
from django.http import HttpRequest
from django.test import Client
from django.test.utils import CaptureQueriesContext
from rest_framework.request import Request

from platform_core.testing.jobs import run_waiting_jobs
from platform_identity.authentication import SessionAuthentication
from platform_identity.models import LoginSession, User
from platform_identity.services import users
from platform_identity.testing import PASSWORD, auth_header, make_user, sign_in_client

APP = "/api/v1/identity/auth/app/v1"
BROWSER = "/api/v1/identity/auth/browser/v1"
ME = "/api/v1/identity/me/"


def post(client: Client, url: str, body: dict[str, Any], **headers: str) -> Any:
    return client.post(url, body, content_type="application/json", headers=headers)


def _token(answer: Any) -> str:
    return str(answer.json()["meta"]["session_token"])


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture
def person() -> User:
    return make_user("person@example.org", password=PASSWORD, display_name="Person")


def sign_in(client: Client, url: str = APP, **headers: str) -> Any:
    body = {"email": "person@example.org", "password": PASSWORD}
    return post(client, f"{url}/auth/login", body, **headers)


class TestApp:
    """Clients that keep tokens."""

    def test_signing_in_answers_tokens_that_open_the_api(
        self, client: Client, person: User
    ) -> None:
        answer = sign_in(client)

        assert answer.status_code == 200
        meta = answer.json()["meta"]
        assert meta["is_authenticated"] is True
        assert (meta["token_type"], meta["expires_in"]) == ("Bearer", 600)
        assert len(meta["refresh_token"]) == 43
        assert client.get(ME, headers=bearer(meta["access_token"])).json()["id"] == str(person.pk)

    def test_the_address_may_be_written_in_any_case(self, client: Client, person: User) -> None:
        body = {"email": "PERSON@Example.ORG", "password": PASSWORD}
        assert post(client, f"{APP}/auth/login", body).status_code == 200

    def test_a_sign_in_is_recorded_with_device_and_address(
        self, client: Client, person: User
    ) -> None:
        sign_in(client, **{"User-Agent": "Test device"})

        session = LoginSession.objects.get(user=person)
        assert (session.kind, session.user_agent, session.ip) == ("app", "Test device", "127.0.0.1")
        assert session.history.get().actor_id == person.pk

    @pytest.mark.parametrize(
        ("email", "password"),
        [
            ("person@example.org", "wrong"),
            ("nobody@example.org", PASSWORD),
            ("suspended@example.org", PASSWORD),
            ("deleted@example.org", PASSWORD),
            ("passwordless@example.org", ""),
            ("passwordless@example.org", "!"),
        ],
    )
    def test_a_wrong_sign_in_is_refused_alike(
        self, client: Client, person: User, email: str, password: str
    ) -> None:
        users.suspend_user(user=make_user("suspended@example.org", password=PASSWORD))
        users.delete_user(user=make_user("deleted@example.org", password=PASSWORD))
        make_user("passwordless@example.org")

        answer = post(client, f"{APP}/auth/login", {"email": email, "password": password})

        assert answer.status_code == 400
        if password:
            assert [one["code"] for one in answer.json()["errors"]] == ["email_password_mismatch"]
        assert not LoginSession.objects.exists()

    def test_guessing_is_slowed_down(self, client: Client, person: User) -> None:
        body = {"email": "person@example.org", "password": "wrong"}
        for _ in range(5):
            post(client, f"{APP}/auth/login", body)

        answer = sign_in(client)
        assert answer.status_code == 400
        assert answer.json()["errors"][0]["code"] == "too_many_login_attempts"

    def test_guessing_at_many_accounts_does_not_make_one_guessable_again(
        self, client: Client, person: User
    ) -> None:
        wrong = {"email": "person@example.org", "password": "not the password"}
        for _ in range(5):
            post(client, f"{APP}/auth/login", wrong)
        for number in range(400):  # what guesses at others leave behind
            cache.set(f"~{number}", [1.0], 300)
            cache.set(f"{number}", [1.0], 300)

        answer = sign_in(client)

        assert answer.status_code == 400
        assert answer.json()["errors"][0]["code"] == "too_many_login_attempts"

    def test_refreshing_answers_the_next_tokens(self, client: Client, person: User) -> None:
        first = sign_in(client).json()["meta"]["refresh_token"]

        answer = post(client, f"{APP}/tokens/refresh", {"refresh_token": first})

        assert answer.status_code == 200
        data = answer.json()["data"]
        assert data["refresh_token"] != first
        assert client.get(ME, headers=bearer(data["access_token"])).status_code == 200

    def test_a_reused_refresh_token_is_401_and_ends_the_session(
        self, client: Client, person: User
    ) -> None:
        first = sign_in(client).json()["meta"]["refresh_token"]
        second = post(client, f"{APP}/tokens/refresh", {"refresh_token": first}).json()["data"]

        assert post(client, f"{APP}/tokens/refresh", {"refresh_token": first}).status_code == 401

        assert client.get(ME, headers=bearer(second["access_token"])).status_code == 401
        body = {"refresh_token": second["refresh_token"]}
        assert post(client, f"{APP}/tokens/refresh", body).status_code == 401

    def test_an_access_token_cannot_refresh(self, client: Client, person: User) -> None:
        token = sign_in(client).json()["meta"]["access_token"]
        assert post(client, f"{APP}/tokens/refresh", {"refresh_token": token}).status_code == 401

    def test_a_refresh_token_is_no_access_token(self, client: Client, person: User) -> None:
        token = sign_in(client).json()["meta"]["refresh_token"]
        assert client.get(ME, headers=bearer(token)).status_code == 401

    @pytest.mark.parametrize("by", ["bearer", "session token"])
    def test_signing_out_counts_from_the_next_request(
        self, client: Client, person: User, by: str
    ) -> None:
        meta = sign_in(client).json()["meta"]
        header = (
            bearer(meta["access_token"])
            if by == "bearer"
            else {"X-Session-Token": meta["session_token"]}
        )

        assert client.delete(f"{APP}/auth/session", headers=header).status_code == 401

        assert client.get(ME, headers=bearer(meta["access_token"])).status_code == 401
        body = {"refresh_token": meta["refresh_token"]}
        assert post(client, f"{APP}/tokens/refresh", body).status_code == 401
        again = client.get(
            f"{APP}/auth/session", headers={"X-Session-Token": meta["session_token"]}
        )
        assert again.status_code == 410
        assert LoginSession.objects.get().revoked_reason == "signed_out"

    def test_suspension_counts_from_the_next_request(self, client: Client, person: User) -> None:
        meta = sign_in(client).json()["meta"]
        users.suspend_user(user=person)

        assert client.get(ME, headers=bearer(meta["access_token"])).status_code == 401
        body = {"refresh_token": meta["refresh_token"]}
        assert post(client, f"{APP}/tokens/refresh", body).status_code == 401
        header = {"X-Session-Token": meta["session_token"]}
        assert client.get(f"{APP}/auth/session", headers=header).status_code == 410

    def test_a_suspension_written_past_the_service_counts_too(
        self, client: Client, person: User
    ) -> None:
        meta = sign_in(client).json()["meta"]
        User.objects.filter(pk=person.pk).update(suspended_at=person.created_at)

        assert client.get(ME, headers=bearer(meta["access_token"])).status_code == 401
        header = {"X-Session-Token": meta["session_token"]}
        assert client.get(f"{APP}/auth/session", headers=header).status_code == 410

    def test_a_session_token_without_a_login_session_counts_for_nothing(
        self, client: Client, person: User
    ) -> None:
        client.force_login(person)
        key = client.cookies[settings.SESSION_COOKIE_NAME].value
        header = {"X-Session-Token": key}
        assert Client().get(f"{APP}/auth/session", headers=header).status_code == 410

    def test_an_invalid_bearer_token_signs_nobody_in(self, client: Client) -> None:
        answer = client.get(f"{APP}/auth/session", headers=bearer("nonsense"))
        assert answer.status_code == 401

    def test_changing_the_password_ends_every_session(self, client: Client, person: User) -> None:
        other = auth_header(person)
        token = sign_in(client).json()["meta"]["access_token"]
        body = {"current_password": PASSWORD, "new_password": "another-long-enough-secret"}

        post(client, f"{APP}/account/password/change", body, **bearer(token))

        assert client.get(ME, headers=bearer(token)).status_code == 401
        assert client.get(ME, headers=other).status_code == 401
        person.refresh_from_db()
        assert person.check_password("another-long-enough-secret")

    def test_a_weak_password_is_refused(self, client: Client, person: User) -> None:
        token = sign_in(client).json()["meta"]["access_token"]
        body = {"current_password": PASSWORD, "new_password": "person@example.org"}

        answer = post(client, f"{APP}/account/password/change", body, **bearer(token))

        assert answer.status_code == 400
        assert client.get(ME, headers=bearer(token)).status_code == 200


class TestBrowser:
    """Clients that keep a cookie."""

    def browser(self) -> tuple[Client, str]:
        client = Client(enforce_csrf_checks=True)
        client.get(f"{BROWSER}/config")
        return client, client.cookies[settings.CSRF_COOKIE_NAME].value

    def test_signing_in_sets_a_cookie_and_shows_no_token(self, person: User) -> None:
        client, csrf = self.browser()

        answer = sign_in(client, BROWSER, **{"X-CSRFToken": csrf})

        assert answer.status_code == 200
        assert "token" not in answer.content.decode()
        assert client.get(ME).json()["email"] == "person@example.org"
        assert client.cookies[settings.SESSION_COOKIE_NAME]["httponly"]

    def test_signing_in_needs_the_csrf_token(self, person: User) -> None:
        client, _csrf = self.browser()
        assert sign_in(client, BROWSER).status_code == 403

    def test_a_write_needs_the_csrf_token_and_a_read_does_not(self, person: User) -> None:
        client = Client(enforce_csrf_checks=True)
        sign_in_client(client, person)
        change = {"path": ME, "data": {"display_name": "New"}, "content_type": "application/json"}

        assert client.get(ME).status_code == 200
        assert client.patch(**change).status_code == 403

        client.get(f"{BROWSER}/config")
        csrf = client.cookies[settings.CSRF_COOKIE_NAME].value
        assert client.patch(**change, headers={"X-CSRFToken": csrf}).status_code == 200

    def test_a_bearer_token_needs_no_csrf_token(self, person: User) -> None:
        answer = Client(enforce_csrf_checks=True).patch(
            ME,
            {"display_name": "New"},
            content_type="application/json",
            headers=auth_header(person),
        )
        assert answer.status_code == 200

    def test_signing_out_counts_from_the_next_request(self, person: User) -> None:
        client, csrf = self.browser()
        sign_in(client, BROWSER, **{"X-CSRFToken": csrf})
        cookie = client.cookies[settings.SESSION_COOKIE_NAME].value
        csrf = client.cookies[settings.CSRF_COOKIE_NAME].value

        client.delete(f"{BROWSER}/auth/session", headers={"X-CSRFToken": csrf})

        client.cookies[settings.SESSION_COOKIE_NAME] = cookie
        assert client.get(ME).status_code == 401
        assert LoginSession.objects.get().revoked_reason == "signed_out"

    def test_suspension_counts_from_the_next_request(self, client: Client, person: User) -> None:
        sign_in_client(client, person)
        users.suspend_user(user=person)
        assert client.get(ME).status_code == 401

    def test_a_suspension_written_past_the_service_counts_too(
        self, client: Client, person: User
    ) -> None:
        sign_in_client(client, person)
        User.objects.filter(pk=person.pk).update(suspended_at=person.created_at)
        assert client.get(ME).status_code == 401

    def test_a_revoked_session_counts_no_more_though_the_cookie_s_row_exists(
        self, client: Client, person: User
    ) -> None:
        session = sign_in_client(client, person)
        LoginSession.objects.filter(pk=session.pk).update(revoked_at=session.created_at)
        assert client.get(ME).status_code == 401

    def test_a_web_session_without_a_login_session_is_nobody(
        self, client: Client, person: User
    ) -> None:
        client.force_login(person)
        assert client.get(ME).status_code == 401

    def test_a_web_session_without_a_login_session_can_be_signed_out(self, person: User) -> None:
        client, csrf = self.browser()
        client.force_login(person)

        client.delete(f"{BROWSER}/auth/session", headers={"X-CSRFToken": csrf})

        assert client.get(f"{BROWSER}/auth/session").status_code == 401

    def test_a_changed_password_ends_the_session(self, client: Client, person: User) -> None:
        sign_in_client(client, person)
        users.set_password(user=person, password="another-long-enough-secret")
        assert client.get(ME).status_code == 401


class TestRefusals:
    """What a request with a bad token gets."""

    @pytest.mark.parametrize(
        "value", ["Bearer", "Bearer ", "Bearer x", "bearer a.b.c", "Bearer a b"]
    )
    def test_a_bad_token_is_a_401_problem(self, client: Client, value: str) -> None:
        answer = client.get(ME, headers={"Authorization": value})

        assert answer.status_code == 401
        assert answer["Content-Type"] == "application/problem+json"
        assert answer["WWW-Authenticate"].startswith("Bearer")
        assert answer.json()["code"] == "invalid_token"

    def test_no_token_is_a_401_problem(self, client: Client) -> None:
        answer = client.get(ME)
        assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")
        assert answer["WWW-Authenticate"].startswith("Bearer")

    @pytest.mark.parametrize(
        "credentials", [{}, {"email": "person@example.org"}, {"password": "x"}]
    )
    def test_incomplete_credentials_sign_nobody_in(
        self, person: User, credentials: dict[str, str]
    ) -> None:
        assert authenticate(None, **credentials) is None

    def test_another_scheme_is_not_ours(self, client: Client) -> None:
        assert client.get(ME, headers={"Authorization": "Basic eA=="}).status_code == 401

    @pytest.mark.parametrize("kind", ["app", "browser"])
    @pytest.mark.parametrize(
        "path", ["account/email", "account/phone", "auth/email/verify", "auth/phone/verify/resend"]
    )
    def test_addresses_cannot_be_changed_past_the_service(
        self, client: Client, person: User, kind: str, path: str
    ) -> None:
        answer = post(
            client,
            f"/api/v1/identity/auth/{kind}/v1/{path}",
            {"email": "victim@example.org"},
            **auth_header(person),
        )
        assert answer.status_code == 404

    def test_nobody_signs_up_while_it_is_closed(self, client: Client) -> None:
        body = {"email": "new@example.org", "password": PASSWORD}
        assert post(client, f"{APP}/auth/signup", body).status_code == 403
        assert not User.objects.filter(email="new@example.org").exists()


class TestPasswordReset:
    """The way back in for people who forgot their password, or never had one."""

    def test_a_code_by_mail_sets_a_new_password_and_ends_sessions(
        self, client: Client, person: User
    ) -> None:
        old = auth_header(person)
        asked = post(client, f"{APP}/auth/password/request", {"email": "person@example.org"})
        token = asked.json()["meta"]["session_token"]
        run_waiting_jobs()
        code = next(
            word for word in mail.outbox[0].body.split() if len(word) >= 6 and word.isupper()
        )

        post(
            client,
            f"{APP}/auth/password/reset",
            {"key": code, "password": "another-long-enough-secret"},
            **{"X-Session-Token": token},
        )

        person.refresh_from_db()
        assert person.check_password("another-long-enough-secret")
        assert client.get(ME, headers=old).status_code == 401

    def test_an_unknown_address_is_answered_alike_and_gets_no_mail(
        self, client: Client, person: User
    ) -> None:
        known = post(client, f"{APP}/auth/password/request", {"email": "person@example.org"})
        unknown = post(client, f"{APP}/auth/password/request", {"email": "nobody@example.org"})

        run_waiting_jobs()
        assert known.status_code == unknown.status_code
        assert [one.to for one in mail.outbox] == [["person@example.org"]]

    @pytest.mark.parametrize("way", ["POST", "GET", "weak"])
    def test_no_answer_tells_whether_there_is_an_account(
        self, client: Client, person: User, way: str
    ) -> None:
        def told(email: str) -> list[tuple[int, bytes]]:
            asked = post(client, f"{APP}/auth/password/request", {"email": email})
            found = [(asked.status_code, asked.content.replace(_token(asked).encode(), b""))]
            for _attempt in range(4):
                headers = {"X-Session-Token": _token(asked)}
                if way == "GET":
                    headers["X-Password-Reset-Key"] = "WRONG-CODE"
                    answer = client.get(f"{APP}/auth/password/reset", headers=headers)
                else:
                    password = "Person" if way == "weak" else "another-long-enough-secret"
                    body = {"key": "WRONG-CODE", "password": password}
                    answer = post(client, f"{APP}/auth/password/reset", body, **headers)
                found.append((answer.status_code, answer.content))
            return found

        known = told("person@example.org")
        assert known == told("nobody@example.org")
        assert [status for status, _body in known] == [401, 400, 400, 400, 409]

    def test_nor_does_the_work_that_is_done(self, client: Client, person: User) -> None:
        def work(email: str) -> list[str]:
            with CaptureQueriesContext(connection) as done:
                post(client, f"{APP}/auth/password/request", {"email": email})
            return [
                re.sub(r"E?'.*|[0-9].*", "", one["sql"].partition(" WHERE ")[0])[:60]
                for one in done
                if "platform_core_cache" not in one["sql"] and "SAVEPOINT" not in one["sql"]
            ]

        known, unknown = work("person@example.org"), work("nobody@example.org")
        assert any("platform_core_mail" in one for one in known)
        extra = [one for one in unknown if one.startswith('DELETE FROM "platform_core_mail"')]
        assert len(extra) == 1
        # Without the account there is no language to look up, and the mail that is taken back instead.
        assert len(known) == len(unknown)
        assert [one for one in unknown if one not in extra] == [
            one for one in known if not one.startswith('SELECT "identity_user"')
        ]

        run_waiting_jobs()
        assert [one.to for one in mail.outbox] == [["person@example.org"]]

    @pytest.mark.parametrize("written", ["mi\u212ae@example.org", "MIKE@Example.ORG"])
    def test_a_code_goes_to_the_address_of_the_account_however_it_was_written(
        self, client: Client, written: str
    ) -> None:
        make_user("mike@example.org")
        post(client, f"{APP}/auth/password/request", {"email": written})
        run_waiting_jobs()
        assert [one.to for one in mail.outbox] == [["mike@example.org"]]

    def test_a_suspended_user_gets_no_code(self, client: Client, person: User) -> None:
        users.suspend_user(user=person)
        post(client, f"{APP}/auth/password/request", {"email": "person@example.org"})
        run_waiting_jobs()
        assert not [one for one in mail.outbox if "code" in one.body.lower()]


def test_neither_answers_nor_logs_hold_a_secret(
    client: Client, person: User, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        answer = sign_in(client)
        meta = answer.json()["meta"]
        shown = [
            client.get(url, headers=bearer(meta["access_token"])).content.decode()
            for url in (ME, "/api/v1/identity/sessions/", f"{APP}/auth/session")
        ]
    person.refresh_from_db()
    session = LoginSession.objects.get()

    secrets = [PASSWORD, person.password, session.session_key]
    tokens = [meta["access_token"], meta["refresh_token"]]
    for secret in secrets:
        assert secret not in "".join(shown)
        assert secret not in caplog.text
    for token in tokens:
        assert token not in "".join(shown)
        assert token not in caplog.text
    assert json.loads(shown[1])["data"][0]["id"] == str(session.pk)


def test_the_api_s_description_names_both_ways_to_sign_in(client: Client) -> None:
    document = client.get("/api/openapi.json").json()

    schemes = document["components"]["securitySchemes"]
    assert schemes["bearer"] == {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
    assert schemes["session"]["in"] == "cookie"
    assert schemes["session"]["name"] == settings.SESSION_COOKIE_NAME


def test_a_refusal_of_the_session_names_no_scheme_that_browsers_ask_a_password_for() -> None:
    header = SessionAuthentication().authenticate_header(Request(HttpRequest()))
    assert header.startswith("Bearer")
