"""Users, units, roles, assignments and sessions over HTTP: who may do what, and what each refusal is."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from platform_identity.models import LoginSession, RoleAssignment, User
from platform_identity.testing import (
    auth_header,
    grant,
    make_owner,
    make_role,
    make_unit,
    make_user,
    sign_in_session,
)

API = "/api/v1/identity"
COLLECTIONS = ("users", "org-units", "roles", "role-assignments", "sessions")


class Caller:
    """Calls the API as one user."""

    def __init__(self, client: Client, user: User) -> None:
        self.client = client
        self.user = user
        self.headers = auth_header(user)

    def get(self, path: str, status: int = 200) -> Any:
        return self.call("get", path, None, status)

    def post(self, path: str, body: Any = None, status: int = 200) -> Any:
        return self.call("post", path, body, status)

    def patch(self, path: str, body: Any, status: int = 200, match: str = "") -> Any:
        return self.call("patch", path, body, status, match)

    def delete(self, path: str, status: int = 204, match: str = "") -> Any:
        return self.call("delete", path, None, status, match)

    def call(self, method: str, path: str, body: Any, status: int, match: str = "") -> Any:
        send = getattr(self.client, method)
        data: dict[str, Any] = {} if method == "get" else {"content_type": "application/json"}
        if body is not None:
            data["data"] = body
        headers = {**self.headers, **({"If-Match": match} if match else {})}
        answer = send(f"{API}/{path}", **data, headers=headers)
        assert answer.status_code == status, answer.content
        return answer.json() if answer.content else None


@pytest.fixture
def owner(client: Client) -> Caller:
    return Caller(client, make_owner("owner@example.org"))


@pytest.fixture
def plain(client: Client) -> Caller:
    return Caller(client, make_user("plain@example.org"))


@pytest.mark.parametrize("name", COLLECTIONS)
def test_nobody_sees_nothing(client: Client, name: str) -> None:
    assert client.get(f"{API}/{name}/").status_code == 401


@pytest.mark.parametrize("name", ["users", "org-units", "roles", "role-assignments"])
def test_creating_needs_the_permission(plain: Caller, name: str) -> None:
    plain.post(f"{name}/", {}, status=403)


def test_people_see_themselves_and_nobody_else(plain: Caller, owner: Caller) -> None:
    assert [one["email"] for one in plain.get("users/")["data"]] == ["plain@example.org"]
    plain.get(f"users/{plain.user.pk}/")
    plain.get(f"users/{owner.user.pk}/", status=404)
    plain.patch(f"users/{owner.user.pk}/", {"display_name": "x"}, status=404)
    plain.patch(f"users/{plain.user.pk}/", {"display_name": "x"}, status=403)
    plain.delete(f"users/{plain.user.pk}/", status=403)
    plain.post(f"users/{plain.user.pk}/suspend/", status=403)
    plain.post(f"users/{owner.user.pk}/suspend/", status=404)


def test_an_owner_manages_accounts(owner: Caller) -> None:
    made = owner.post("users/", {"email": "New@example.org", "display_name": "New"}, status=201)
    path = f"users/{made['id']}/"
    assert made["email"] == "new@example.org"
    assert owner.patch(path, {"language": "fr"})["language"] == "fr"
    assert owner.post(f"{path}suspend/")["suspended_at"] is not None
    owner.post(f"{path}suspend/", status=409)
    assert owner.post(f"{path}reactivate/")["suspended_at"] is None
    owner.post(f"{path}reactivate/", status=409)
    owner.delete(path)
    owner.get(path, status=404)
    owner.post(f"{path}restore/")
    assert [one["type"] for one in owner.get(f"{path}history/")["data"]]


def test_a_taken_address_is_a_conflict_that_names_the_field(owner: Caller) -> None:
    refused = owner.post("users/", {"email": "OWNER@example.org"}, status=409)
    assert refused["code"] == "email_taken"
    assert refused["errors"][0]["pointer"] == "/email"


@pytest.mark.parametrize("field", ["password", "is_superuser", "suspended_at", "deleted_at", "id"])
def test_what_is_not_for_clients_cannot_be_set(owner: Caller, field: str) -> None:
    owner.post("users/", {"email": "new@example.org", field: "2020-01-01T00:00:00Z"}, status=422)
    assert not User.objects.filter(email="new@example.org").exists()


def test_the_last_owner_stays(owner: Caller) -> None:
    assert owner.post(f"users/{owner.user.pk}/suspend/", status=409)["code"] == "last_owner"
    assert owner.delete(f"users/{owner.user.pk}/", status=409)["code"] == "last_owner"
    given = RoleAssignment.objects.get(user=owner.user)
    assert owner.delete(f"role-assignments/{given.pk}/", status=409)["code"] == "last_owner"


def test_no_list_shows_a_secret(owner: Caller) -> None:
    shown = "".join(str(owner.get(f"{name}/")) for name in COLLECTIONS)
    for word in ("password", "argon2", "session_key", "digest"):
        assert word not in shown


def test_a_local_administrator_works_below_their_unit_only(client: Client) -> None:
    root = make_unit("root")
    school = make_unit("school", parent=root)
    user = make_user()
    verbs = ("view", "add", "change", "delete")
    grant(user, [f"identity.{verb}_orgunit" for verb in verbs], school)
    caller = Caller(client, user)

    assert [one["name"] for one in caller.get("org-units/")["data"]] == ["school"]
    group = caller.post("org-units/", {"name": "group", "parent": str(school.pk)}, status=201)
    caller.post("org-units/", {"name": "loose"}, status=403)
    caller.post("org-units/", {"name": "beside", "parent": str(root.pk)}, status=422)
    caller.patch(f"org-units/{group['id']}/", {"parent": None}, status=403)
    caller.patch(f"org-units/{root.pk}/", {"name": "mine"}, status=404)
    assert caller.patch(f"org-units/{group['id']}/", {"name": "Group"})["name"] == "Group"
    assert caller.get(f"org-units/{group['id']}/")["parent"] == str(school.pk)
    caller.delete(f"org-units/{group['id']}/")


def test_moving_a_unit_below_itself_is_a_conflict(owner: Caller) -> None:
    unit = make_unit()
    below = make_unit(parent=unit)
    refused = owner.patch(f"org-units/{unit.pk}/", {"parent": str(below.pk)}, status=409)
    assert refused["code"] == "unit_cycle"
    assert owner.patch(f"org-units/{below.pk}/", {"parent": None})["parent"] is None


def test_an_owner_manages_roles(owner: Caller) -> None:
    base = make_role("identity.view_user", name="base")
    body = {"name": "mine", "title": "Mine", "permissions": ["identity.view_role"]}
    made = owner.post("roles/", {**body, "inherits": [str(base.pk)]}, status=201)

    assert made["effective_permissions"] == ["identity.view_role", "identity.view_user"]
    assert made["inherits"] == [str(base.pk)]
    path = f"roles/{made['id']}/"
    alone = owner.patch(path, {"inherits": []}, match='"1"')
    assert alone["effective_permissions"] == ["identity.view_role"]
    owner.patch(path, {"title": "Theirs"}, match='"1"', status=412)
    owner.patch(path, {"title": "Ours"}, status=428)
    assert owner.patch(path, {"title": "Ours"}, match="*")["title"] == "Ours"
    owner.patch(path, {"holds_all": True}, status=422, match="*")
    owner.patch(path, {"effective_permissions": ["x"]}, status=422, match="*")
    owner.delete(path, status=428)
    owner.delete(path, match="*")


@pytest.mark.parametrize("name", ["identity.owner", "with space", ""])
def test_a_role_s_name_cannot_pass_for_a_plugin_s(owner: Caller, name: str) -> None:
    owner.post("roles/", {"name": name, "title": "Mine"}, status=422)


@pytest.mark.parametrize("inherits", [{}, "", 7, [{}]])
def test_what_a_role_inherits_is_a_list_of_ids(owner: Caller, inherits: object) -> None:
    owner.post("roles/", {"name": "mine", "title": "Mine", "inherits": inherits}, status=422)


def test_a_taken_role_name_is_a_conflict(owner: Caller) -> None:
    make_role(name="mine")
    owner.post("roles/", {"name": "mine", "title": "Mine"}, status=409)


def test_listing_roles_costs_the_same_for_many(
    owner: Caller, django_assert_max_num_queries: Any
) -> None:
    base = make_role("identity.view_user")
    for _ in range(12):
        make_role(inherits=[base])
    with django_assert_max_num_queries(6):
        assert len(owner.get("roles/")["data"]) >= 13


def test_an_owner_gives_and_takes_roles(owner: Caller, plain: Caller) -> None:
    role, unit = make_role("identity.view_user"), make_unit()
    body = {"user": str(plain.user.pk), "role": str(role.pk), "unit": str(unit.pk)}
    made = owner.post("role-assignments/", body, status=201)

    assert made["scope"] == "unit"
    path = f"role-assignments/{made['id']}/"
    assert [one["id"] for one in plain.get("role-assignments/")["data"]] == [made["id"]]
    ends = owner.patch(path, {"ends_at": "2099-01-01T00:00:00Z"})["ends_at"]
    assert ends == "2099-01-01T00:00:00Z"
    owner.patch(path, {"unit": None}, status=422)
    owner.patch(path, {"user": str(owner.user.pk)}, status=422)
    plain.delete(path, status=403)
    owner.delete(path)
    assert plain.get("role-assignments/")["data"] == []


def test_nobody_gives_more_than_they_hold(client: Client, plain: Caller) -> None:
    admin = make_user()
    grant(
        admin,
        [
            f"identity.{one}"
            for one in ("view_user", "view_role", "view_roleassignment", "add_roleassignment")
        ],
    )
    caller = Caller(client, admin)
    more, same = make_role("identity.delete_user"), make_role("identity.view_user")

    body = {"user": str(admin.pk), "role": str(more.pk)}
    assert caller.post("role-assignments/", body, status=403)["code"] == "not_held"
    body = {"user": str(plain.user.pk), "role": str(same.pk)}
    caller.post("role-assignments/", body, status=201)


def test_a_local_administrator_gives_roles_below_their_unit_only(
    client: Client, plain: Caller
) -> None:
    school, other = make_unit("school"), make_unit("other")
    admin = make_user()
    grant(admin, ["identity.view_user", "identity.view_role"])
    grant(
        admin,
        [
            f"identity.{one}"
            for one in ("view_roleassignment", "add_roleassignment", "view_orgunit")
        ],
        school,
    )
    elsewhere = grant(make_user(), "identity.view_orgunit", other)
    caller = Caller(client, admin)
    body = {"user": str(plain.user.pk), "role": str(make_role("identity.view_orgunit").pk)}

    made = caller.post("role-assignments/", {**body, "unit": str(school.pk)}, status=201)
    shown = {one["id"] for one in caller.get("role-assignments/")["data"]}
    assert made["id"] in shown
    assert str(elsewhere.pk) not in shown
    caller.post("role-assignments/", body, status=403)
    caller.post("role-assignments/", {**body, "unit": str(other.pk)}, status=422)


def test_people_see_and_end_their_own_sessions(client: Client, plain: Caller) -> None:
    other_device = sign_in_session(plain.user)
    stranger = sign_in_session(make_user())

    shown = {one["id"] for one in plain.get("sessions/")["data"]}
    assert str(other_device.pk) in shown
    assert len(shown) == 2
    plain.post(f"sessions/{stranger.pk}/revoke/", status=404)
    ended = plain.post(f"sessions/{other_device.pk}/revoke/")
    assert ended["revoked_reason"] == "signed_out"
    plain.post(f"sessions/{other_device.pk}/revoke/", status=409)


def test_ending_the_session_that_one_uses_counts_from_the_next_request(plain: Caller) -> None:
    own = LoginSession.objects.get(user=plain.user)
    plain.post(f"sessions/{own.pk}/revoke/")
    plain.get("users/", status=401)


def test_sessions_can_only_be_read_and_ended(plain: Caller) -> None:
    own = LoginSession.objects.get(user=plain.user)
    plain.post("sessions/", {}, status=405)
    plain.patch(f"sessions/{own.pk}/", {}, status=405)
    plain.delete(f"sessions/{own.pk}/", status=405)


def test_a_change_over_http_is_recorded_with_who_did_it(owner: Caller) -> None:
    made = owner.post("users/", {"email": "new@example.org"}, status=201)
    entry = User.objects.get(pk=made["id"]).history.get()
    assert (entry.actor_id, entry.actor_kind) == (owner.user.pk, "user")
    assert entry.request_id
