"""Grants: what roles give, where, and from when to when."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from platform_core.access import ANONYMOUS, Actor, installed_permissions, system_actor
from platform_core.testing.rule_gate import check_rule
from platform_identity import rules
from platform_identity.grants import RoleGrants
from platform_identity.models import LoginSession, OrgUnit, Role, RoleAssignment, User
from platform_identity.services import users
from platform_identity.services.roles import update_role
from platform_identity.services.units import move_unit
from platform_identity.testing import (
    actor_for,
    grant,
    make_owner,
    make_role,
    make_unit,
    make_user,
    sign_in_session,
)

VIEW = "identity.view_orgunit"


def test_a_role_gives_its_permissions_everywhere() -> None:
    user = make_user()
    grant(user, [VIEW, "identity.view_user"])

    grants = actor_for(user).grants

    assert grants.permissions == {VIEW, "identity.view_user"}
    assert grants.get(VIEW).everywhere


def test_grants_take_one_query(django_assert_num_queries: object) -> None:
    user = make_user()
    grant(user, VIEW)
    grant(user, VIEW, make_unit())
    grant(user, make_role("identity.view_user", inherits=[make_role("identity.add_user")]))
    actor = actor_for(user)

    with django_assert_num_queries(1):  # type: ignore[operator]
        assert len(actor.grants.permissions) == 3


def test_scopes_add_up() -> None:
    user, unit, thing = make_user(), make_unit(), make_user()
    grant(user, VIEW, unit)
    grant(user, VIEW, thing)

    held = actor_for(user).grants.get(VIEW)

    assert (held.everywhere, held.units, held.objects) == (False, {unit.pk}, {thing.pk})


@pytest.mark.parametrize(
    ("starts", "ends", "held"),
    [(None, None, True), (-2, None, True), (None, 1, True), (-2, 1, True), (1, None, False),
     (None, -1, False), (-2, -1, False), (1, 2, False)],
)  # fmt: skip
def test_dates_are_judged_at_the_time_of_asking(
    starts: int | None, ends: int | None, held: bool
) -> None:
    user, now = make_user(), timezone.now()
    grant(
        user,
        VIEW,
        starts_at=None if starts is None else now + timedelta(minutes=starts),
        ends_at=None if ends is None else now + timedelta(minutes=ends),
    )
    assert actor_for(user).grants.holds(VIEW) is held


def test_inherited_permissions_are_held_and_follow_changes_at_any_depth() -> None:
    user = make_user()
    base = make_role(VIEW)
    middle = make_role(inherits=[base])
    grant(user, make_role("identity.add_user", inherits=[middle]))
    assert actor_for(user).grants.permissions == {VIEW, "identity.add_user"}

    update_role(role=base, changed_by=system_actor(), permissions=["identity.view_role"])
    assert actor_for(user).grants.permissions == {"identity.view_role", "identity.add_user"}

    update_role(role=middle, changed_by=system_actor(), inherits=[])
    assert actor_for(user).grants.permissions == {"identity.add_user"}


def test_an_owner_holds_every_permission_of_the_deployment() -> None:
    grants = actor_for(make_owner()).grants
    assert grants.permissions == {one.name for one in installed_permissions()}
    assert all(grants.get(one.name).everywhere for one in installed_permissions())


def test_a_suspended_or_deleted_user_holds_nothing() -> None:
    suspended, deleted = make_user(), make_user()
    grant(suspended, VIEW)
    grant(deleted, VIEW)
    users.suspend_user(user=suspended)
    users.delete_user(user=deleted)

    assert not actor_for(suspended).grants.permissions
    assert not actor_for(deleted).grants.permissions


def test_a_deleted_role_or_assignment_gives_nothing() -> None:
    user = make_user()
    first, second = grant(user, VIEW), grant(user, "identity.view_user")
    first.delete()
    Role.objects.filter(pk=second.role_id).write({"deleted_at": timezone.now()})
    assert not actor_for(user).grants.permissions


@pytest.mark.parametrize("actor", [ANONYMOUS, system_actor(), Actor(uuid4(), "service", "x")])
def test_only_users_are_granted_anything(actor: Actor) -> None:
    assert not RoleGrants().grants(actor).permissions


def test_units_cover_what_is_below_them() -> None:
    root = make_unit()
    school = make_unit(parent=root)
    group = make_unit(parent=school)
    other = make_unit(parent=root)
    source = RoleGrants()

    for unit, expected in ((root, False), (school, True), (group, True), (other, False)):
        units = frozenset({school.pk})
        assert source.covers(units, unit) is expected
        rows = OrgUnit.objects.filter(source.within(units, "pk"), pk=unit.pk)
        assert rows.exists() is expected


def test_a_new_unit_is_covered_where_its_parent_is() -> None:
    school = make_unit()
    source, units = RoleGrants(), frozenset({school.pk})
    assert source.covers(units, OrgUnit(name="new", parent=school))
    assert not source.covers(units, OrgUnit(name="new"))
    assert not source.covers(units, make_user())
    assert not source.covers(frozenset(), school)


def test_a_moved_branch_is_covered_where_it_stands() -> None:
    user, old, new = make_user(), make_unit(), make_unit()
    branch = make_unit(parent=old)
    leaf = make_unit(parent=branch)
    grant(user, VIEW, new)
    source, units = RoleGrants(), actor_for(user).grants.get(VIEW).units
    assert not source.covers(units, leaf)

    move_unit(unit=branch, parent=new)

    leaf.refresh_from_db()
    assert source.covers(units, leaf)


@pytest.mark.parametrize(
    "wrong",
    [
        {"scope": "deployment", "object_id": uuid4()},
        {"scope": "unit"},
        {"scope": "object"},
        {"scope": "object", "object_id": uuid4()},
        {"scope": "object", "object_model": "identity.User"},
        {"scope": "everything"},
    ],
)
def test_the_database_refuses_a_scope_that_does_not_fit(wrong: dict[str, object]) -> None:
    user, role = make_user(), make_role()
    with pytest.raises(IntegrityError), transaction.atomic():
        RoleAssignment.objects.create(user=user, role=role, **wrong)


def test_every_rule_of_identity_lists_what_it_allows() -> None:
    root = make_unit()
    school = make_unit(parent=root)
    make_unit(parent=make_unit())
    people = [make_user() for _ in range(4)]
    nobody, local, whole, one = people
    names = [permission.name for permission in rules.PERMISSIONS]
    grant(local, names, school)
    grant(whole, names)
    grant(one, names, nobody)
    grant(one, names, root)
    for person in people:
        sign_in_session(person)
    users.suspend_user(user=make_user())
    models = {
        model._meta.label: model for model in (User, OrgUnit, Role, RoleAssignment, LoginSession)
    }

    for permission in rules.PERMISSIONS:
        model = models[str(permission.model)]
        actors = [ANONYMOUS, system_actor(), *(actor_for(person) for person in people)]
        check_rule(permission.rule, model, actors, model.all_objects.all())
