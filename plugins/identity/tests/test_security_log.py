"""What identity writes to the security log."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoCaptureOnCommitCallbacks

from platform_core.access import acting_as, system_actor
from platform_core.contributions import FirstRunContext
from platform_identity.errors import NotHeld, TokenRefused
from platform_identity.first_run import ensure_owner
from platform_identity.models import RoleAssignment, User
from platform_identity.services import assignments, keys, roles, tokens, users
from platform_identity.testing import (
    PASSWORD,
    actor_for,
    grant,
    make_role,
    make_unit,
    make_user,
    owner_role,
    sign_in_session,
)

APP = "/api/v1/identity/auth/app/v1"

Written = Callable[[], list[dict[str, Any]]]


class _Kept(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.entries: list[dict[str, Any]] = []

    def emit(self, record: logging.LogRecord) -> None:
        assert isinstance(record.msg, dict)
        self.entries.append(record.msg)


@pytest.fixture
def entries() -> Iterator[list[dict[str, Any]]]:
    handler = _Kept()
    logger = logging.getLogger("platform_core.security")
    logger.addHandler(handler)
    yield handler.entries
    logger.removeHandler(handler)


@pytest.fixture
def during(
    entries: list[dict[str, Any]],
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> Callable[[Callable[[], object]], dict[str, dict[str, Any]]]:
    """Do something, commit, and return what was written by event."""

    def act(something: Callable[[], object]) -> dict[str, dict[str, Any]]:
        entries.clear()
        with django_capture_on_commit_callbacks(execute=True):
            something()
        return {one["event"]: one for one in entries}

    return act


During = Callable[[Callable[[], object]], dict[str, dict[str, Any]]]


@pytest.fixture
def person() -> User:
    return make_user("person@example.org", password=PASSWORD)


def login(client: Client, email: str, password: str) -> Any:
    return client.post(
        f"{APP}/auth/login",
        {"email": email, "password": password},
        content_type="application/json",
    )


def test_signing_in_and_out(client: Client, person: User, during: During) -> None:
    answers: list[Any] = []
    found = during(lambda: answers.append(login(client, person.email, PASSWORD)))
    meta = answers[0].json()["meta"]

    entry = found["identity.signed_in"]
    assert (entry["actor_id"], entry["client"]) == (str(person.pk), "app")
    assert entry["ip"] == "127.0.0.1"

    header = {"Authorization": f"Bearer {meta['access_token']}"}
    found = during(lambda: client.delete(f"{APP}/auth/session", headers=header))
    ended = found["identity.session_ended"]
    assert (ended["user"], ended["reason"]) == (str(person.pk), "signed_out")
    assert ended["session"] == entry["session"]


def test_a_failed_sign_in_names_a_user_and_no_other_address(
    client: Client, person: User, during: During
) -> None:
    known = during(lambda: login(client, "Person@example.org", "something-wrong"))
    unknown = during(lambda: login(client, "nobody@example.org", "something-wrong"))

    assert known["identity.sign_in_failed"]["user"] == str(person.pk)
    assert len(unknown["identity.sign_in_failed"]["address"]) == 16
    text = json.dumps([known, unknown])
    assert "something-wrong" not in text
    assert "@example.org" not in text


def test_too_many_sign_ins_are_written(client: Client, person: User, during: During) -> None:
    for _ in range(5):
        login(client, person.email, "wrong")
    found = during(lambda: login(client, person.email, PASSWORD))
    assert found["identity.sign_in_limited"]["user"] == str(person.pk)
    assert "identity.signed_in" not in found


def test_a_reused_refresh_token_is_written_without_the_token(person: User, during: During) -> None:
    session = sign_in_session(person)
    first = tokens.issue_tokens(session=session)
    tokens.refresh(token=first.refresh_token)

    def reuse() -> None:
        with pytest.raises(TokenRefused):
            tokens.refresh(token=first.refresh_token)

    found = during(reuse)
    assert found["identity.refresh_token_reused"]["session"] == str(session.pk)
    assert found["identity.session_ended"]["reason"] == "token_reused"
    assert first.refresh_token not in json.dumps(found)


@pytest.mark.parametrize(
    ("event", "act"),
    [
        ("identity.user_suspended", lambda user: users.suspend_user(user=user)),
        ("identity.user_reactivated", lambda user: users.reactivate_user(user=user)),
        ("identity.user_deleted", lambda user: users.delete_user(user=user)),
        (
            "identity.password_changed",
            lambda user: users.set_password(user=user, password="another-long-enough-secret"),
        ),
        (
            "identity.email_changed",
            lambda user: users.update_user(
                user=user, changed_by=system_actor(), email="other@example.org"
            ),
        ),
    ],
)
def test_what_happens_to_an_account(
    person: User, during: During, event: str, act: Callable[[User], object]
) -> None:
    found = during(lambda: act(person))
    assert found[event]["user"] == str(person.pk)
    assert "another-long-enough-secret" not in json.dumps(found)
    assert "other@example.org" not in json.dumps(found)


def test_a_new_account(during: During) -> None:
    made: list[User] = []
    found = during(lambda: made.append(users.create_user(email="new@example.org")))
    assert found["identity.user_created"]["user"] == str(made[0].pk)


def test_roles_given_moved_in_time_and_taken(person: User, during: During) -> None:
    unit, role = make_unit(), make_role("identity.view_user", name="watcher")
    given: list[RoleAssignment] = []
    found = during(lambda: given.append(grant(person, role, unit)))
    entry = found["identity.role_assigned"]
    assert (entry["user"], entry["role"]) == (str(person.pk), "watcher")
    assert (entry["scope"], entry["unit"]) == ("unit", str(unit.pk))

    found = during(
        lambda: assignments.reschedule_assignment(
            assignment=given[0],
            changed_by=system_actor(),
            starts_at=None,
            ends_at=person.created_at.replace(year=2999),
        )
    )
    assert found["identity.role_rescheduled"]["ends_at"].startswith("2999-")

    found = during(lambda: assignments.unassign_role(assignment=given[0]))
    assert found["identity.role_unassigned"]["role"] == "watcher"


def test_roles_made_changed_and_deleted(during: During) -> None:
    operator = system_actor()
    made = make_role(name="made")
    found = during(
        lambda: roles.update_role(
            role=made, changed_by=operator, name="renamed", permissions=["identity.view_user"]
        )
    )
    assert found["identity.role_changed"]["role"] == "made"
    assert found["identity.role_changed"]["gained"] == "identity.view_user"

    found = during(lambda: roles.delete_role(role=made))
    assert found["identity.role_deleted"]["role"] == "renamed"
    assert "identity.role_created" in during(lambda: make_role(name="another"))


def test_what_was_refused_is_not_written_as_done(person: User, during: During) -> None:
    def overreach() -> None:
        with pytest.raises(NotHeld):
            roles.create_role(name="x", title="x", permissions=["a.b"], made_by=actor_for(person))

    assert "identity.role_created" not in during(overreach)


def test_a_rotated_key(during: During, tmp_path: Path, settings: Any) -> None:
    settings.PLATFORM_DATA_DIR = tmp_path
    found = during(keys.rotate_signing_key)
    assert found["identity.signing_key_rotated"]["kid"] == keys.key_ring().kid
    assert "PRIVATE" not in json.dumps(found)


def test_the_owner_of_the_first_start(during: During, tmp_path: Path) -> None:
    RoleAssignment.objects.filter(role=owner_role()).delete()
    with acting_as(system_actor("first run")):
        found = during(lambda: ensure_owner(FirstRunContext(demo=False, data_dir=tmp_path)))

    owner = User.objects.get(email="owner@example.org")
    assert found["identity.owner_created"]["user"] == str(owner.pk)
    password = (tmp_path / "owner-credentials.txt").read_text().split()[-1]
    assert password not in json.dumps(found)
