"""The registry: what it refuses together, and that what is not in it is denied."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import AppRegistryNotReady
from rules.predicates import always_true

from platform_core.access import (
    Always,
    Granted,
    PermissionRegistry,
    PermissionRegistryError,
    SignedIn,
    Where,
    actor,
    install_permissions,
    installed_permissions,
    model_permissions,
    using_permissions,
)
from platform_core.access.grants import installed_grant_source
from platform_core.contributions import Permission
from tests.core.access.testapp.grants import MemoryGrantSource
from tests.core.access.testapp.models import Unit


def permission(name: str = "shop.view_order", **fields: Any) -> Permission:
    return Permission(**{"name": name, "title": "View", "rule": Always(), **fields})


def test_a_registry_finds_what_was_put_in() -> None:
    one, two = permission(), permission("shop.view_unit", model="access_testapp.Unit")
    registry = PermissionRegistry([one, two])
    assert (len(registry), list(registry)) == (2, [one, two])
    assert registry.get("shop.view_order") is one
    assert registry.get("shop.nothing") is None
    assert registry.model_of("shop.view_order") is None
    assert registry.model_of("shop.view_unit") is Unit


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"rule": always_true}, "is a Predicate, not a Rule"),
        ({"model": "access_testapp.Nothing"}, "no model 'access_testapp.Nothing'"),
        ({"model": "unit"}, "no model 'unit'"),
        ({"rule": Where("owner", actor)}, "the permission names no model"),
        ({"rule": SignedIn() & ~Where("owner", actor)}, "the permission names no model"),
        ({"rule": Where("x", 1), "model": "access_testapp.Unit"}, "has no field 'x'"),
        (
            {"rule": Where("level", actor), "model": "access_testapp.Document"},
            "never an actor's id",
        ),
        (
            {"rule": Where("level", "high"), "model": "access_testapp.Document"},
            "“high” value must be an integer",
        ),
        (
            {"rule": Where("owner", ["ann"], "in"), "model": "access_testapp.Document"},
            "is not a valid UUID",
        ),
        ({"rule": Granted("shop.veiw_order")}, "no enabled plugin defines"),
        (
            {"rule": Granted("shop.view_order"), "model": "access_testapp.Lost"},
            "leads to no unit",
        ),
        (
            {"rule": Granted("shop.view_order"), "model": "access_testapp.Nowhere"},
            "has no field 'nothing'",
        ),
        (
            {"rule": Granted("shop.view_order"), "model": "access_testapp.Astray"},
            "leads to access_testapp.Person, not to access_testapp.Unit",
        ),
    ],
)
def test_a_permission_that_cannot_work_is_refused(fields: dict[str, Any], complaint: str) -> None:
    with pytest.raises(PermissionRegistryError, match=complaint) as caught:
        PermissionRegistry([permission(**fields)], MemoryGrantSource())
    assert [name for name, _ in caught.value.problems] == ["shop.view_order"]


def test_rules_whose_paths_and_values_fit_are_accepted() -> None:
    rule = Where("owner", actor) & Where("level", True, "isnull") | Where("level", [1, "2"], "in")
    assert PermissionRegistry([permission(rule=rule, model="access_testapp.Document")])


def test_all_problems_are_reported_at_once() -> None:
    with pytest.raises(PermissionRegistryError) as caught:
        PermissionRegistry([permission(), permission(), permission("shop.bad", model="no.model")])
    assert caught.value.problems == (
        ("shop.view_order", "the name is taken twice."),
        ("shop.bad", "there is no model 'no.model'."),
    )


def test_installing_brings_the_grant_source_too() -> None:
    before, source = installed_permissions(), MemoryGrantSource()
    registry = PermissionRegistry([permission()], source)
    try:
        install_permissions(registry)
        assert installed_permissions() is registry
        assert installed_grant_source() is source
    finally:
        install_permissions(before)
    assert installed_grant_source() is before.grant_source


def test_a_block_of_permissions_ends_with_an_error_too() -> None:
    before = installed_permissions()
    with pytest.raises(AppRegistryNotReady), using_permissions(PermissionRegistry([permission()])):
        raise AppRegistryNotReady
    assert installed_permissions() is before


def test_model_permissions_are_named_after_verb_and_model() -> None:
    made = model_permissions("access_testapp.Document", ["view", "approve"])
    assert [one.name for one in made] == [
        "access_testapp.view_document",
        "access_testapp.approve_document",
    ]
    assert [str(one.title) for one in made] == ["View document", "Approve document"]
    assert str(made[0].rule) == "Granted('access_testapp.view_document')"
    assert {one.model for one in made} == {"access_testapp.Document"}


def test_model_permissions_take_the_rule_from_a_function() -> None:
    made = model_permissions(
        "access_testapp.Document", ["view"], lambda name: Granted(name) | Where("owner", actor)
    )
    assert "Where" in str(made[0].rule)


def test_an_unknown_verb_is_refused() -> None:
    with pytest.raises(ValueError, match="vlew"):
        model_permissions("access_testapp.Document", ["vlew"])
