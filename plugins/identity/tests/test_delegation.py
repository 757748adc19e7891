"""Nobody grants what they do not hold, and somebody always holds everything."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connections
from django.utils import timezone

from platform_core.errors import Invalid
from platform_identity.errors import LastOwner, NotHeld
from platform_identity.models import RoleAssignment, User
from platform_identity.services import users
from platform_identity.services.assignments import (
    assign_role,
    reschedule_assignment,
    unassign_role,
)
from platform_identity.services.roles import create_role, update_role
from platform_identity.testing import (
    actor_for,
    grant,
    make_owner,
    make_role,
    make_unit,
    make_user,
    owner_role,
)

VIEW, ADD = "identity.view_orgunit", "identity.add_orgunit"


def give(giver: User, *permissions: str, **scope: Any) -> RoleAssignment:
    return assign_role(
        user=make_user(), role=make_role(*permissions), granted_by=actor_for(giver), **scope
    )


def test_what_is_held_everywhere_can_be_given_anywhere() -> None:
    giver, thing = make_user(), make_unit()
    grant(giver, [VIEW, ADD])

    assert give(giver, VIEW).scope == "deployment"
    assert give(giver, VIEW, ADD, unit=thing).scope == "unit"
    assert give(giver, ADD, object_model="identity.OrgUnit", object_id=thing.pk).scope == "object"


def test_who_may_not_give_it_there_does_not_learn_what_is_there() -> None:
    giver, thing = make_user(), make_unit("thing")
    grant(giver, ADD)
    told = []
    for key in (thing.pk, uuid4()):
        with pytest.raises(NotHeld) as refusal:
            give(giver, VIEW, object_model="identity.OrgUnit", object_id=key)
        told.append(str(refusal.value.message))
    assert told[0] == told[1]


def test_what_is_not_held_cannot_be_given() -> None:
    giver = make_user()
    grant(giver, VIEW)
    with pytest.raises(NotHeld, match=ADD):
        give(giver, VIEW, ADD)


def test_what_a_role_inherits_has_to_be_held_too() -> None:
    giver = make_user()
    grant(giver, VIEW)
    role = make_role(VIEW, inherits=[make_role(ADD)])
    with pytest.raises(NotHeld):
        assign_role(user=make_user(), role=role, granted_by=actor_for(giver))


def test_what_is_held_in_a_unit_can_be_given_there_and_below_only() -> None:
    root = make_unit()
    school = make_unit(parent=root)
    group = make_unit(parent=school)
    giver = make_user()
    grant(giver, VIEW, school)

    give(giver, VIEW, unit=school)
    give(giver, VIEW, unit=group)
    give(giver, VIEW, object_model="identity.OrgUnit", object_id=group.pk)
    below = grant(make_user(), VIEW, group)
    give(giver, VIEW, object_model="identity.RoleAssignment", object_id=below.pk)
    for scope in (
        {},
        {"unit": root},
        {"unit": make_unit(parent=root)},
        {"object_model": "identity.OrgUnit", "object_id": root.pk},
        {"object_model": "identity.User", "object_id": giver.pk},
    ):
        with pytest.raises(NotHeld):
            give(giver, VIEW, **scope)


def test_what_is_held_for_an_object_can_be_given_for_it_only() -> None:
    giver, thing, other = make_user(), make_unit(), make_unit()
    grant(giver, VIEW, thing)
    RoleAssignment.objects.filter(user=giver).delete()
    assign_role(
        user=giver,
        role=make_role(VIEW),
        granted_by=actor_for(make_owner()),
        object_model="identity.OrgUnit",
        object_id=thing.pk,
    )

    give(giver, VIEW, object_model="identity.OrgUnit", object_id=thing.pk)
    for scope in ({"unit": thing}, {"object_model": "identity.OrgUnit", "object_id": other.pk}):
        with pytest.raises(NotHeld):
            give(giver, VIEW, **scope)


def test_a_permission_of_no_enabled_plugin_can_be_given_by_nobody_but_the_operator() -> None:
    with pytest.raises(NotHeld):
        give(make_owner(), "dormant.view_thing")
    assert grant(make_user(), "dormant.view_thing").pk


def test_only_an_owner_makes_owners() -> None:
    giver, owner = make_user(), make_owner()
    grant(giver, sorted(actor_for(owner).grants.permissions))

    with pytest.raises(NotHeld):
        assign_role(user=make_user(), role=owner_role(), granted_by=actor_for(giver))
    assert assign_role(user=make_user(), role=owner_role(), granted_by=actor_for(owner)).pk


def test_somebody_whose_grant_has_ended_gives_nothing() -> None:
    giver = make_user()
    grant(giver, VIEW, ends_at=timezone.now() - timedelta(minutes=1))
    with pytest.raises(NotHeld):
        give(giver, VIEW)


@pytest.mark.parametrize(
    "scope",
    [
        {"object_model": "identity.User"},
        {"object_id": uuid4()},
        {"object_model": "identity.Nothing", "object_id": uuid4()},
        {"object_model": "nonsense", "object_id": uuid4()},
        {"object_model": "identity.RefreshToken", "object_id": uuid4()},
        {"object_model": "auth.Permission", "object_id": uuid4()},
        {"object_model": "identity.User", "object_id": uuid4()},
        {"starts_at": timezone.now(), "ends_at": timezone.now() - timedelta(days=1)},
    ],
)
def test_a_scope_or_time_that_makes_no_sense_is_refused(scope: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        give(make_owner(), VIEW, **scope)


def test_a_unit_and_an_object_cannot_be_combined_and_owners_are_owners_everywhere() -> None:
    unit = make_unit()
    with pytest.raises(Invalid):
        give(make_owner(), VIEW, unit=unit, object_model="identity.User", object_id=uuid4())
    with pytest.raises(Invalid):
        grant(make_user(), owner_role(), unit)


@pytest.mark.parametrize("place", ["everywhere", "unit", "object"])
def test_what_is_held_until_a_date_is_given_until_then_at_most(place: str) -> None:
    giver, thing = make_user(), make_unit()
    friday = timezone.now() + timedelta(days=3)
    scope: dict[str, Any] = {
        "everywhere": {},
        "unit": {"unit": thing},
        "object": {"object_model": "identity.OrgUnit", "object_id": thing.pk},
    }[place]
    assign_role(
        user=giver,
        role=make_role(VIEW),
        granted_by=actor_for(make_owner()),
        ends_at=friday,
        **scope,
    )

    assert give(giver, VIEW, ends_at=friday, **scope).ends_at == friday
    for starts_at in (None, friday - timedelta(days=1), friday + timedelta(hours=1)):
        for ends_at in (None, friday + timedelta(days=1)):
            with pytest.raises(NotHeld):
                give(giver, VIEW, starts_at=starts_at, ends_at=ends_at, **scope)


def test_nobody_extends_what_they_hold_until_a_date() -> None:
    giver = make_user()
    friday = timezone.now() + timedelta(days=3)
    own = grant(giver, VIEW, ends_at=friday)
    given = give(giver, VIEW, ends_at=friday)

    for assignment in (own, given):
        for ends_at in (None, friday + timedelta(seconds=1)):
            with pytest.raises(NotHeld):
                reschedule_assignment(
                    assignment=assignment,
                    changed_by=actor_for(giver),
                    starts_at=None,
                    ends_at=ends_at,
                )
    sooner = friday - timedelta(days=1)
    changed = reschedule_assignment(
        assignment=given, changed_by=actor_for(giver), starts_at=None, ends_at=sooner
    )
    assert changed.ends_at == sooner


def test_what_will_be_held_later_is_not_given_before() -> None:
    giver = make_user()
    later = timezone.now() + timedelta(days=3)
    grant(giver, VIEW, starts_at=later)

    for starts_at in (None, later):
        with pytest.raises(NotHeld):
            give(giver, VIEW, starts_at=starts_at)


def test_an_owner_until_a_date_makes_owners_until_then_at_most() -> None:
    make_owner()
    giver = make_user()
    friday = timezone.now() + timedelta(days=3)
    grant(giver, owner_role(), ends_at=friday)

    def make(ends_at: Any) -> RoleAssignment:
        return assign_role(
            user=make_user(), role=owner_role(), granted_by=actor_for(giver), ends_at=ends_at
        )

    for ends_at in (None, friday + timedelta(days=1)):
        with pytest.raises(NotHeld):
            make(ends_at)
        with pytest.raises(NotHeld):
            give(giver, VIEW, ends_at=ends_at)
    assert make(friday).pk
    assert give(giver, VIEW, ends_at=friday).pk


def test_what_is_held_until_a_date_does_not_go_into_a_role_that_lasts() -> None:
    maker = make_user()
    grant(maker, VIEW)
    role = create_role(name="mine", title="Mine", made_by=actor_for(maker), permissions=[VIEW])
    grant(maker, ADD, ends_at=timezone.now() + timedelta(days=3))
    parent, actor = make_role(ADD), actor_for(maker)
    assert actor.grants.holds(ADD)

    with pytest.raises(NotHeld):
        create_role(name="more", title="More", made_by=actor, permissions=[ADD])
    with pytest.raises(NotHeld):
        update_role(role=role, changed_by=actor, permissions=[VIEW, ADD])
    with pytest.raises(NotHeld):
        update_role(role=role, changed_by=actor, inherits=[parent])


def test_an_account_that_lasts_is_not_taken_over_by_somebody_whose_role_does_not() -> None:
    admin, lasting, passing = make_user(), make_user(), make_user()
    friday = timezone.now() + timedelta(days=3)
    grant(admin, VIEW, ends_at=friday)
    grant(lasting, VIEW)
    grant(passing, VIEW, ends_at=friday)

    with pytest.raises(NotHeld):
        users.update_user(user=lasting, changed_by=actor_for(admin), email="mine@example.org")
    users.update_user(user=passing, changed_by=actor_for(admin), email="new@example.org")


def test_dates_are_changed_by_whoever_could_give_the_role() -> None:
    giver, stranger = make_user(), make_user()
    grant(giver, VIEW)
    assignment = give(giver, VIEW)
    later = timezone.now() + timedelta(days=1)

    with pytest.raises(NotHeld):
        reschedule_assignment(
            assignment=assignment, changed_by=actor_for(stranger), starts_at=None, ends_at=later
        )
    changed = reschedule_assignment(
        assignment=assignment, changed_by=actor_for(giver), starts_at=None, ends_at=later
    )
    assert changed.ends_at == later
    endless = reschedule_assignment(
        assignment=assignment, changed_by=actor_for(giver), starts_at=None, ends_at=None
    )
    assert endless.ends_at is None


def test_a_role_cannot_be_made_or_widened_beyond_its_maker() -> None:
    maker = make_user()
    grant(maker, VIEW)
    actor = actor_for(maker)
    role = create_role(name="mine", title="Mine", made_by=actor, permissions=[VIEW])

    with pytest.raises(NotHeld):
        create_role(name="more", title="More", made_by=actor, permissions=[ADD])
    with pytest.raises(NotHeld):
        create_role(name="heir", title="Heir", made_by=actor, inherits=[make_role(ADD)])
    with pytest.raises(NotHeld):
        update_role(role=role, changed_by=actor, permissions=[VIEW, ADD])
    with pytest.raises(NotHeld):
        update_role(role=role, changed_by=actor, inherits=[make_role(ADD)])
    assert update_role(role=role, changed_by=actor, permissions=[]).effective_permissions == []


def test_holding_a_permission_in_a_unit_is_not_enough_for_a_role_that_could_go_anywhere() -> None:
    maker = make_user()
    grant(maker, VIEW, make_unit())
    with pytest.raises(NotHeld):
        create_role(name="mine", title="Mine", made_by=actor_for(maker), permissions=[VIEW])


def test_an_account_is_not_taken_over_by_changing_its_address() -> None:
    admin, owner, plain = make_user(), make_owner(), make_user()
    grant(admin, ["identity.change_user", VIEW])
    grant(plain, VIEW, plain)

    with pytest.raises(NotHeld):
        users.update_user(user=owner, changed_by=actor_for(admin), email="mine@example.org")
    users.update_user(user=plain, changed_by=actor_for(admin), email="new@example.org")
    users.update_user(user=owner, changed_by=actor_for(owner), email="own@example.org")
    users.update_user(user=owner, changed_by=actor_for(admin), display_name="Owner")


def test_what_was_given_for_an_object_that_is_gone_has_to_be_held_everywhere() -> None:
    admin, owner, user = make_user(), make_owner(), make_user()
    gone = RoleAssignment.objects.create(
        user=user,
        role=make_role(VIEW),
        scope="object",
        object_model="uninstalled.Thing",
        object_id=uuid4(),
    )

    with pytest.raises(NotHeld):
        users.update_user(user=user, changed_by=actor_for(admin), email="new@example.org")
    users.update_user(user=user, changed_by=actor_for(owner), email="new@example.org")
    assert gone.pk


def suspend(owner: User) -> None:
    users.suspend_user(user=owner)


def delete(owner: User) -> None:
    users.delete_user(user=owner)


def unassign(owner: User) -> None:
    unassign_role(assignment=RoleAssignment.objects.get(user=owner))


def limit(owner: User) -> None:
    reschedule_assignment(
        assignment=RoleAssignment.objects.get(user=owner),
        changed_by=actor_for(owner),
        starts_at=None,
        ends_at=timezone.now() + timedelta(days=1),
    )


def postpone(owner: User) -> None:
    reschedule_assignment(
        assignment=RoleAssignment.objects.get(user=owner),
        changed_by=actor_for(owner),
        starts_at=timezone.now() + timedelta(days=1),
        ends_at=None,
    )


WAYS_OUT = [suspend, delete, unassign, limit, postpone]


@pytest.mark.parametrize("leave", WAYS_OUT)
def test_the_last_owner_stays(leave: Callable[[User], None]) -> None:
    owner = make_owner()
    users.suspend_user(user=make_owner())
    grant(make_user(), owner_role(), ends_at=timezone.now() + timedelta(days=1))

    with pytest.raises(LastOwner):
        leave(owner)
    assert actor_for(owner).grants.holds(VIEW)


@pytest.mark.parametrize("leave", WAYS_OUT)
def test_an_owner_may_leave_while_another_stays(leave: Callable[[User], None]) -> None:
    stays = make_owner()

    leave(make_owner())

    with pytest.raises(LastOwner):  # the other one is counted no more
        leave(stays)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("leave", [suspend, delete, unassign])
def test_two_owners_cannot_remove_each_other_at_once(leave: Callable[[User], None]) -> None:
    owners = [make_owner(), make_owner()]
    start = threading.Barrier(2)

    def attempt(owner: User) -> bool:
        try:
            start.wait()
            leave(owner)
        except LastOwner:
            return False
        finally:
            connections.close_all()
        return True

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(attempt, owners)) == [False, True]
