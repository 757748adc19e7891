"""Roles: inheritance without circles, and the ones that plugins ship."""

from __future__ import annotations

import pytest
from django.test import Client

from platform_core.access import system_actor
from platform_core.contributions import Role as DefaultRole
from platform_core.errors import Conflict, Invalid
from platform_core.registry import installed
from platform_identity.errors import RoleCycle, RoleProvided
from platform_identity.models import Role, RoleInheritance
from platform_identity.services.roles import delete_role, synchronise_roles, update_role
from platform_identity.services.tokens import issue_tokens
from platform_identity.testing import (
    auth_header,
    grant,
    make_owner,
    make_role,
    make_unit,
    make_user,
    owner_role,
    sign_in_session,
)

OPERATOR = system_actor("tests")
SHIPPED = (
    DefaultRole(name="toy.reader", title="Reader", permissions=("toy.view_thing",)),
    DefaultRole(
        name="toy.writer", title="Writer", permissions=("toy.add_thing",), inherits=("toy.reader",)
    ),
)


def test_roles_inherit_in_no_circle() -> None:
    base = make_role("a.view_x")
    middle = make_role(inherits=[base])
    top = make_role(inherits=[middle])

    for parent in (base, middle, top):
        with pytest.raises(RoleCycle):
            update_role(role=base, changed_by=OPERATOR, inherits=[parent])
    base.refresh_from_db()
    assert not base.inherits.exists()


def test_a_chain_of_roles_may_be_as_long_as_somebody_makes_it() -> None:
    roles = [Role(name=f"role-{n}", title="x", permissions=[f"a.view_{n}"]) for n in range(1_500)]
    Role.objects.bulk_create(roles)
    steps = zip(roles[1:], roles, strict=False)
    RoleInheritance.objects.bulk_create(RoleInheritance(role=a, parent=b) for a, b in steps)
    top = make_role(inherits=[roles[-1]])
    assert len(top.effective_permissions) == len(roles)


def test_a_role_that_inherits_twice_over_holds_everything_once() -> None:
    base = make_role("a.view_x")
    left, right = make_role("a.add_x", inherits=[base]), make_role(inherits=[base])
    assert make_role(inherits=[left, right]).effective_permissions == ["a.add_x", "a.view_x"]


def test_nothing_inherits_from_the_owner() -> None:
    with pytest.raises(Invalid):
        make_role(inherits=[owner_role()])


def test_a_deleted_role_is_inherited_no_more() -> None:
    base = make_role("a.view_x")
    heir = make_role("a.add_x", inherits=[base])

    delete_role(role=base)

    heir.refresh_from_db()
    assert heir.effective_permissions == ["a.add_x"]


def test_an_assigned_role_is_not_deleted() -> None:
    role = make_role("a.view_x")
    grant(make_user(), role)
    with pytest.raises(Conflict):
        delete_role(role=role)


def test_shipped_roles_are_stored_with_what_they_inherit() -> None:
    synchronise_roles(SHIPPED)

    writer = Role.objects.get(name="toy.writer")
    assert writer.effective_permissions == ["toy.add_thing", "toy.view_thing"]
    assert (writer.provided_by, writer.holds_all) == ("toy", False)


def test_storing_shipped_roles_again_changes_nothing() -> None:
    synchronise_roles(SHIPPED)
    before = list(Role.objects.order_by("name").values())
    synchronise_roles(SHIPPED)
    assert list(Role.objects.order_by("name").values()) == before


def test_a_newer_plugin_refreshes_its_roles_and_leaves_an_admin_s_alone() -> None:
    synchronise_roles(SHIPPED)
    own = make_role("toy.view_thing", name="own", inherits=[Role.objects.get(name="toy.writer")])

    synchronise_roles(
        [DefaultRole(name="toy.reader", title="Readers", permissions=("toy.list_thing",))]
    )

    own.refresh_from_db()
    assert Role.objects.get(name="toy.reader").title == "Readers"
    assert own.permissions == ["toy.view_thing"]
    assert own.effective_permissions == ["toy.add_thing", "toy.list_thing", "toy.view_thing"]


def test_the_role_of_a_dormant_plugin_keeps_its_assignments() -> None:
    synchronise_roles(SHIPPED)
    assignment = grant(make_user(), Role.objects.get(name="toy.reader"))

    synchronise_roles(())

    assignment.refresh_from_db()
    assert assignment.role.effective_permissions == ["toy.view_thing"]


def test_a_shipped_role_is_neither_changed_nor_deleted() -> None:
    synchronise_roles(SHIPPED)
    role = Role.objects.get(name="toy.reader")
    with pytest.raises(RoleProvided):
        update_role(role=role, changed_by=OPERATOR, permissions=[])
    with pytest.raises(RoleProvided):
        delete_role(role=role)


def test_a_role_can_be_renamed() -> None:
    role = update_role(role=make_role(), changed_by=OPERATOR, name="renamed", title="Renamed")
    assert (role.name, role.title) == ("renamed", "Renamed")


def test_only_the_owner_role_holds_all() -> None:
    synchronise_roles(installed().contributions("roles"))
    assert list(Role.objects.filter(holds_all=True).values_list("name", flat=True)) == [
        "identity.owner"
    ]


def test_rows_are_named_for_people_who_read_logs() -> None:
    unit = make_unit("School")
    user = make_user("me@example.org")
    role = make_role("identity.view_user", name="reader", inherits=[make_role()])
    assignment = grant(user, role, unit)
    token = issue_tokens(session=sign_in_session(user))

    assert [str(one) for one in (unit, user, role)] == ["School", "me@example.org", "reader"]
    assert str(role.inheritances.get()).startswith(str(role.pk))
    assert str(assignment) == f"{role.pk} → {user.pk}"
    session = user.login_sessions.get()
    assert str(session) == f"app {session.pk}"
    shown = str(session.refresh_tokens.get())
    assert shown == f"refresh token of {session.pk}"
    assert token.refresh_token not in shown


def test_pages_lead_past_shipped_roles_whose_names_no_admin_could_give(client: Client) -> None:
    synchronise_roles(SHIPPED)
    headers = auth_header(make_owner())
    seen: list[str] = []
    url = "/api/v1/identity/roles/?limit=1"
    while url:
        page = client.get(url, headers=headers).json()
        seen += [one["name"] for one in page["data"]]
        url = page["next"]

    assert seen == sorted(Role.objects.values_list("name", flat=True))
    assert {"toy.reader", "toy.writer"} <= set(seen)
