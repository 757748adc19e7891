"""What somebody of one school can learn of, and do to, another: nothing, and no answer tells that it exists."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from django.core.cache import cache
from django.test import Client

from platform_core.access import installed_permissions
from platform_core.testing.factories import make_in_unit
from platform_education.models import School, Student
from platform_identity.models import OrgUnit, Role, RoleAssignment, User
from platform_identity.services import users
from platform_identity.testing import auth_header, grant, make_role, make_unit, make_user

API = "/api/v1"
STUDENTS = f"{API}/education/students/"
USERS = f"{API}/identity/users/"
ROLES = f"{API}/identity/roles/"
ASSIGNMENTS = f"{API}/identity/role-assignments/"


@pytest.fixture(autouse=True)
def _fresh_limits(db: None) -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


def everything() -> list[str]:
    return [one.name for one in installed_permissions()]


def client_of(user: User) -> Client:
    return Client(raise_request_exception=False, headers=auth_header(user))


def send(client: Client, method: str, url: str, body: Any = None, **extra: Any) -> Any:
    data = b"" if body is None else json.dumps(body).encode()
    return client.generic(method, url, data, content_type="application/json", **extra)


def said(answer: Any) -> tuple[int, Any]:
    body = answer.json()
    return answer.status_code, {key: body[key] for key in body if key != "request_id"}


@pytest.fixture
def mine() -> OrgUnit:
    return make_unit("mine")


@pytest.fixture
def theirs() -> OrgUnit:
    return make_unit("theirs")


@pytest.fixture
def head(mine: OrgUnit) -> User:
    """Holds every permission of the deployment, in one unit."""
    user = make_user()
    grant(user, everything(), mine)
    return user


@pytest.mark.parametrize(
    ("method", "suffix"),
    [
        ("GET", ""),
        ("PUT", ""),
        ("PATCH", ""),
        ("DELETE", ""),
        ("GET", "history/"),
        ("POST", "restore/"),
    ],
)
@pytest.mark.parametrize("deleted", [False, True])
def test_an_invisible_row_is_answered_like_none(
    head: User, theirs: OrgUnit, method: str, suffix: str, deleted: bool
) -> None:
    student = make_in_unit(Student, theirs)
    if deleted:
        student.delete()
    client = client_of(head)

    there = send(
        client, method, f"{STUDENTS}{student.pk}/{suffix}", {} if method != "GET" else None
    )
    nowhere = send(client, method, f"{STUDENTS}{uuid4()}/{suffix}", {} if method != "GET" else None)

    assert there.status_code == 404
    assert said(there) == said(nowhere)


def test_a_reference_to_an_invisible_row_is_answered_like_one_to_none(
    head: User, mine: OrgUnit, theirs: OrgUnit
) -> None:
    student, school = make_in_unit(Student, mine), make_in_unit(School, theirs)
    client = client_of(head)
    url = f"{STUDENTS}{student.pk}/"

    there = send(client, "PATCH", url, {"school": str(school.pk)})
    nowhere = send(client, "PATCH", url, {"school": str(uuid4())})

    assert there.status_code == 422
    assert said(there) == said(nowhere)
    for key in (school.pk, uuid4()):
        assert send(client, "GET", f"{STUDENTS}?school={key}").json()["data"] == []


def test_nothing_of_another_school_is_listed_searched_or_paged_to(
    head: User, mine: OrgUnit, theirs: OrgUnit
) -> None:
    own = make_in_unit(Student, mine)
    hidden = make_in_unit(Student, theirs)
    client = client_of(head)
    for query in (
        "",
        f"?search={hidden.family_name}",
        f"?sourced_id={hidden.sourced_id}",
        "?limit=1",
        "?ordering=-family_name",
    ):
        rows = send(client, "GET", STUDENTS + query).json()["data"]
        assert {row["id"] for row in rows} <= {str(own.pk)}, query
    for query in ("?unit__name=theirs", "?school__unit=x", "?password=x", "?user__email=x"):
        assert send(client, "GET", STUDENTS + query).status_code == 422


def test_a_head_of_one_unit_raises_nobody_beyond_it(
    head: User, mine: OrgUnit, theirs: OrgUnit
) -> None:
    client, friend = client_of(head), make_user()
    broad = make_role("identity.view_user")
    grant(head, ["identity.view_user", "identity.view_role", "identity.view_orgunit"])
    asked = {"user": str(friend.pk), "role": str(broad.pk)}
    for scope in (
        {},
        {"unit": str(theirs.pk)},
        {"object_model": "identity.OrgUnit", "object_id": str(theirs.pk)},
    ):
        answer = send(client, "POST", ASSIGNMENTS, {**asked, **scope})
        assert answer.status_code == 403, answer.content
    assert send(client, "POST", ASSIGNMENTS, {**asked, "unit": str(mine.pk)}).status_code == 201
    assert send(client, "POST", ROLES, {"name": "x", "title": "x"}).status_code == 403
    assert RoleAssignment.objects.filter(user=friend).count() == 1


def test_who_may_change_roles_gains_nothing_by_it() -> None:
    person = make_user()
    held = ["identity.view_role", "identity.change_role", "identity.add_role"]
    own = make_role(*held)
    grant(person, own)
    client, admin = client_of(person), make_role("identity.view_user")
    url = f"{ROLES}{own.pk}/"

    for change in (
        {"permissions": [*held, "identity.view_user"]},
        {"inherits": [str(admin.pk)]},
        {"inherits": [str(Role.objects.get(name="identity.admin").pk)]},
        {"permissions": ["plugin_to_come.add_thing"]},
    ):
        assert send(client, "PATCH", url, change, HTTP_IF_MATCH="*").status_code == 403, change
    for change in ({"holds_all": True}, {"effective_permissions": ["identity.view_user"]}):
        assert send(client, "PATCH", url, change, HTTP_IF_MATCH="*").status_code == 422
    own.refresh_from_db()
    assert own.effective_permissions == sorted(held)


def test_a_restored_user_has_lost_their_roles_and_sessions() -> None:
    person, admin = make_user(), make_user()
    grant(person, everything())
    grant(admin, ["identity.view_user", "identity.restore_user"])
    old = client_of(person)
    users.delete_user(user=person)

    assert send(client_of(admin), "POST", f"{USERS}{person.pk}/restore/").status_code == 200

    assert send(old, "GET", f"{API}/identity/me/").status_code == 401
    me = send(client_of(person), "GET", f"{API}/identity/me/").json()
    assert (me["roles"], me["permissions"]) == ([], [])


def test_a_password_is_neither_read_nor_written_by_the_resource() -> None:
    person, admin = make_user(), make_user()
    grant(admin, everything())
    client = client_of(admin)
    url = f"{USERS}{person.pk}/"

    assert send(client, "PATCH", url, {"password": "x" * 20}).status_code == 422
    assert send(client, "PATCH", url, {"suspended_at": "2026-01-01T00:00:00Z"}).status_code == 422
    for suffix in ("", "history/"):
        assert "argon2" not in send(client, "GET", url + suffix).content.decode()
        assert "password" not in send(client, "GET", url + suffix).content.decode()


def test_whoever_holds_less_takes_no_account_over() -> None:
    person, clerk = make_user(), make_user()
    grant(person, "education.view_student")
    grant(clerk, ["identity.view_user", "identity.change_user"])

    answer = send(client_of(clerk), "PATCH", f"{USERS}{person.pk}/", {"email": "me@example.org"})

    assert answer.status_code == 403
    person.refresh_from_db()
    assert person.email != "me@example.org"


def test_history_keeps_no_secret_of_a_session() -> None:
    person = make_user()
    client = client_of(person)
    row = send(client, "GET", f"{API}/identity/sessions/").json()["data"][0]
    assert "session_key" not in row
    assert send(client, "GET", f"{API}/identity/sessions/{row['id']}/history/").status_code == 404
