"""``me``: what people see and change of themselves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
from django.db import OperationalError, ProgrammingError
from django.http import Http404
from django.test import Client, RequestFactory

from platform_core.access import Actor
from platform_core.registry import contents, installed
from platform_core.registry.contents import Entry
from platform_identity.hookspecs import ProfileSection
from platform_identity.testing import auth_header, grant, make_role, make_unit, make_user
from platform_identity.views import me

URL = "/api/v1/identity/me/"


def test_it_shows_profile_roles_and_permissions(client: Client) -> None:
    unit = make_unit("School")
    user = make_user("me@example.org", display_name="Me", language="fr")
    grant(user, make_role("identity.view_orgunit", name="reader"), unit)
    grant(user, make_role("identity.view_user", name="viewer"))

    answer = client.get(URL, headers=auth_header(user)).json()

    assert answer["email"] == "me@example.org"
    assert (answer["display_name"], answer["language"]) == ("Me", "fr")
    assert answer["permissions"] == ["identity.view_orgunit", "identity.view_user"]
    assert [(one["name"], one["scope"], one["unit"]) for one in answer["roles"]] == [
        ("reader", "unit", str(unit.pk)),
        ("viewer", "deployment", None),
    ]


def test_people_change_their_name_and_language(client: Client) -> None:
    user = make_user()

    answer = client.patch(
        URL,
        {"display_name": "New name", "language": "de"},
        content_type="application/json",
        headers=auth_header(user),
    )

    assert answer.json()["display_name"] == "New name"
    user.refresh_from_db()
    assert (user.display_name, user.language) == ("New name", "de")
    assert user.history.first().actor_id == user.pk


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ('{"email": "other@example.org"}', 422),
        ('{"password": "x"}', 422),
        ('{"suspended_at": null}', 422),
        ('{"display_name": 5, "nonsense": 1}', 422),
        ("[]", 422),
        ("{", 400),
    ],
)
def test_nothing_else_can_be_changed(client: Client, body: str, status: int) -> None:
    user = make_user("me@example.org")
    answer = client.patch(URL, body, content_type="application/json", headers=auth_header(user))

    assert answer.status_code == status
    assert answer["Content-Type"] == "application/problem+json"
    user.refresh_from_db()
    assert user.version == 1


def test_other_methods_are_refused(client: Client) -> None:
    assert client.delete(URL, headers=auth_header(make_user())).status_code == 405


def test_a_service_has_no_profile() -> None:
    request = RequestFactory().get(URL)
    request.actor = Actor(uuid4(), "service", "backup")  # type: ignore[attr-defined]
    with pytest.raises(Http404):
        me(request)


def test_nobody_has_no_profile(client: Client) -> None:
    assert client.get(URL).status_code == 401


def test_a_language_that_there_is_not_is_refused(client: Client) -> None:
    user = make_user(language="fr")

    answer = client.patch(
        URL, {"language": "tlh"}, content_type="application/json", headers=auth_header(user)
    )

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/language"
    user.refresh_from_db()
    assert user.language == "fr"


def section(name: str, answer: Any) -> Entry:
    def data(actor: Actor) -> Any:
        if isinstance(answer, Exception):
            raise answer
        return answer

    item = ProfileSection(name=name, title=name.title(), data=data)
    return Entry(owner="toy", hook="identity.profile_sections", item=item, place="")


@pytest.fixture
def sections(monkeypatch: pytest.MonkeyPatch) -> Callable[[Mapping[str, Any]], None]:
    """Install a registry with these sections instead of the deployment's own."""

    def install(answers: Mapping[str, Any]) -> None:
        found = tuple(section(name, answer) for name, answer in answers.items())
        entries = {**installed().entries, "identity.profile_sections": found}
        monkeypatch.setattr(contents, "_installed", replace(installed(), entries=entries))

    return install


def test_a_section_that_fails_takes_no_other_along(
    client: Client, sections: Callable[[Mapping[str, Any]], None]
) -> None:
    sections({"toy.well": {"shelf": 1}, "toy.broken": KeyError("boom"), "toy.late": []})

    answer = client.get(URL, headers=auth_header(make_user()))

    assert answer.status_code == 200
    assert answer.json()["sections"] == [
        {"key": "toy.well", "title": "Toy.Well", "available": True, "data": {"shelf": 1}},
        {"key": "toy.broken", "title": "Toy.Broken", "available": False, "data": None},
        {"key": "toy.late", "title": "Toy.Late", "available": True, "data": []},
    ]


def test_a_section_whose_query_fails_leaves_the_connection_usable(
    client: Client, sections: Callable[[Mapping[str, Any]], None]
) -> None:
    sections({"toy.torn": ProgrammingError("no such column"), "toy.late": [1]})

    answer = client.get(URL, headers=auth_header(make_user()))

    assert [one["available"] for one in answer.json()["sections"]] == [False, True]


def test_an_unreachable_database_is_no_fault_of_a_section(
    client: Client, sections: Callable[[Mapping[str, Any]], None]
) -> None:
    sections({"toy.torn": OperationalError("gone")})

    assert client.get(URL, headers=auth_header(make_user())).status_code == 503
