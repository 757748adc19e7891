"""The tree of units: paths are right after every move, and no unit stands below itself."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connections
from django.utils import timezone

from platform_core.access import acting_as
from platform_core.models import DeletionBlocked
from platform_identity.errors import NotHeld, UnitCycle
from platform_identity.models import OrgUnit
from platform_identity.services.units import move_unit, update_unit
from platform_identity.testing import actor_for, grant, make_role, make_unit, make_user


def paths_are_right() -> bool:
    for unit in OrgUnit.objects.select_related("parent"):
        above = unit.parent.path if unit.parent is not None else []
        if unit.path != [*above, unit.pk]:
            return False
    return True


def test_a_path_leads_from_the_root_to_the_unit() -> None:
    root = make_unit("root")
    school = make_unit("school", parent=root)
    group = make_unit("group", parent=school)
    assert group.path == [root.pk, school.pk, group.pk]


def test_a_move_takes_everything_below_along() -> None:
    old, new = make_unit("old"), make_unit("new", parent=make_unit("root"))
    branch = make_unit("branch", parent=old)
    leaf = make_unit("leaf", parent=make_unit("twig", parent=branch))
    beside = make_unit("beside", parent=old)

    moved = move_unit(unit=branch, parent=new)

    assert moved.path == [*new.path, branch.pk]
    leaf.refresh_from_db()
    assert leaf.path[:3] == moved.path
    assert paths_are_right()
    beside.refresh_from_db()
    assert beside.path == [old.pk, beside.pk]


def test_a_branch_becomes_a_tree_of_its_own() -> None:
    branch = make_unit(parent=make_unit())
    leaf = make_unit(parent=branch)

    assert move_unit(unit=branch, parent=None).path == [branch.pk]
    leaf.refresh_from_db()
    assert leaf.path == [branch.pk, leaf.pk]


def test_no_unit_stands_below_itself() -> None:
    unit = make_unit()
    below = make_unit(parent=make_unit(parent=unit))

    for parent in (unit, below):
        with pytest.raises(UnitCycle):
            move_unit(unit=unit, parent=parent)
    assert paths_are_right()


def test_a_move_trusts_the_database_and_not_a_stale_copy() -> None:
    unit, first = make_unit(), make_unit()
    stale = OrgUnit.objects.get(pk=unit.pk)
    move_unit(unit=unit, parent=first)

    second = make_unit()
    move_unit(unit=first, parent=second)
    move_unit(unit=stale, parent=second)
    assert paths_are_right()


@pytest.mark.django_db(transaction=True)
def test_two_moves_at_once_make_no_circle() -> None:
    one, other = make_unit("one"), make_unit("other")
    start = threading.Barrier(2)

    def move(pair: tuple[OrgUnit, OrgUnit]) -> bool:
        try:
            start.wait()
            move_unit(unit=pair[0], parent=pair[1])
        except UnitCycle:
            return False
        finally:
            connections.close_all()
        return True

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(move, [(one, other), (other, one)])) == [False, True]
    assert paths_are_right()


def test_a_kind_can_be_changed() -> None:
    assert update_unit(unit=make_unit("unit"), kind="school").kind == "school"


def test_a_unit_in_use_is_not_deleted() -> None:
    parent, scoped = make_unit(), make_unit()
    make_unit(parent=parent)
    grant(make_user(), "identity.view_orgunit", scoped)
    for unit in (parent, scoped):
        with pytest.raises(DeletionBlocked):
            unit.delete()


def test_a_move_gives_nobody_what_the_mover_does_not_hold() -> None:
    district, mine, theirs = make_unit("district"), make_unit("mine"), make_unit("theirs")
    person, other = make_user(), make_user()
    grant(person, "identity.change_orgunit")
    grant(person, "identity.view_roleassignment", mine)
    grant(other, "identity.view_roleassignment", district)

    for parent in (mine, district):
        with acting_as(actor_for(person)), pytest.raises(NotHeld):
            move_unit(unit=theirs, parent=parent)

    theirs.refresh_from_db()
    assert theirs.parent is None


def test_a_move_within_what_the_mover_holds_is_free() -> None:
    district, unit = make_unit("district"), make_unit("unit")
    person, other = make_user(), make_user()
    grant(person, ["identity.change_orgunit", "identity.view_roleassignment"])
    grant(other, "identity.view_roleassignment", district)

    moved = move_unit(unit=unit, parent=district, moved_by=actor_for(person))

    assert moved.path == [district.pk, unit.pk]
    assert move_unit(unit=unit, parent=None, moved_by=actor_for(make_user())).parent is None


def test_a_move_gives_nobody_for_longer_what_the_mover_holds_until_a_date() -> None:
    lasting, passing, unit = make_unit("lasting"), make_unit("passing"), make_unit("unit")
    person, other = make_user(), make_user()
    friday = timezone.now() + timedelta(days=3)
    role = make_role("identity.view_roleassignment")
    grant(person, role, ends_at=friday)
    grant(other, role, passing, ends_at=friday)
    grant(other, role, lasting, ends_at=friday)
    grant(other, role, lasting)

    with pytest.raises(NotHeld):
        move_unit(unit=unit, parent=lasting, moved_by=actor_for(person))
    assert move_unit(unit=unit, parent=passing, moved_by=actor_for(person)).parent == passing
