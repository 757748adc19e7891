"""The gate: decisions, lists, and what menus may promise; the policy of a resource on top."""

from __future__ import annotations

import pytest
from django.db.models import Model
from hypothesis import HealthCheck, given, settings

from platform_core.access import (
    ANONYMOUS,
    Granted,
    ObjectRequired,
    PermissionRegistry,
    Policy,
    PolicyError,
    Rule,
    SignedIn,
    Where,
    actor,
    decide,
    may_some,
    model_permissions,
    scope,
    using_permissions,
)
from platform_core.contributions import Permission
from tests.core.access.conftest import CHANGE, CLOSE, VIEW, World
from tests.core.access.test_rule_gate import DOCUMENT_LEAVES, trees
from tests.core.access.testapp.models import Document, School

LOOK = "access_testapp.look"


def test_who_was_granted_is_allowed(world: World) -> None:
    decision = decide(world.county, VIEW, world.documents["town"])
    assert (decision.allowed, decision.code, bool(decision)) == (True, "allowed", True)


def test_who_was_not_granted_is_told_what_is_missing(world: World) -> None:
    decision = decide(world.town, VIEW, world.documents["county"])
    assert (bool(decision), decision.code) == (False, "denied")
    assert str(decision.reason) == f"This needs the permission “{VIEW}” here."


def test_an_anonymous_refusal_asks_to_sign_in(world: World) -> None:
    assert decide(ANONYMOUS, VIEW, world.documents["bare"]).code == "unauthenticated"
    assert decide(ANONYMOUS, LOOK).allowed


@pytest.mark.parametrize("name", ["access_testapp.nothing", "", "dormant.view_thing"])
def test_an_unknown_permission_is_denied_to_everybody(world: World, name: str) -> None:
    for who in world.actors:
        assert decide(who, name, world.documents["bare"]).code == "unknown_permission"
        assert not may_some(who, name)
        assert not scope(who, name, Document.objects.all()).exists()


def test_a_permission_about_rows_never_answers_without_one(world: World) -> None:
    for who in world.actors:
        with pytest.raises(ObjectRequired):
            decide(who, VIEW)


def test_a_permission_about_no_model_is_decided_for_the_deployment(world: World) -> None:
    row = world.documents["town"]
    assert decide(world.everywhere, CLOSE)
    assert decide(world.everywhere, CLOSE, row)
    assert not decide(world.county, CLOSE)
    assert not decide(world.county, CLOSE, row)
    assert may_some(world.everywhere, CLOSE)
    assert not may_some(world.county, CLOSE)
    assert scope(world.everywhere, CLOSE, Document.objects.all()).count() == 5
    assert not scope(world.county, CLOSE, Document.objects.all()).exists()


def test_a_row_of_another_model_is_an_error(world: World) -> None:
    with pytest.raises(TypeError, match=r"about access_testapp\.Document, not School"):
        decide(world.everywhere, VIEW, School())
    with pytest.raises(TypeError, match=r"not access_testapp\.School"):
        scope(world.everywhere, VIEW, School.objects.all())


def test_an_error_in_a_rule_is_neither_yes_nor_no(world: World) -> None:
    class Broken(SignedIn):
        def outcome(self, actor: object, obj: Model | None, model: type[Model] | None) -> bool:
            raise LookupError

    broken = Permission(name="shop.break", title="Break", rule=Broken() | SignedIn())
    with using_permissions(PermissionRegistry([broken])), pytest.raises(LookupError):
        decide(world.everywhere, "shop.break")


def test_a_scope_keeps_what_the_queryset_already_left_out(world: World) -> None:
    rows = scope(world.county, VIEW, Document.objects.exclude(title="town"))
    assert [row.title for row in rows] == ["county"]


@settings(
    max_examples=80,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(rule=trees(DOCUMENT_LEAVES))
def test_menus_lists_and_decisions_agree(world: World, rule: Rule) -> None:
    look = Permission(name="x.look", title="Look", rule=rule, model="access_testapp.Document")
    named = model_permissions("access_testapp.Document")
    with using_permissions(PermissionRegistry([look, *named], world.source)):
        for who in world.actors:
            allowed = {row.pk for row in Document.objects.all() if decide(who, "x.look", row)}
            assert {row.pk for row in scope(who, "x.look", Document.objects.all())} == allowed
            assert may_some(who, "x.look") or not allowed


def test_a_menu_says_no_where_nothing_could_be_allowed(world: World) -> None:
    rule = (SignedIn() & Granted(CHANGE)) | Where("owner", actor)
    look = Permission(name="x.look", title="Look", rule=rule, model="access_testapp.Document")
    named = model_permissions("access_testapp.Document")
    with using_permissions(PermissionRegistry([look, *named], world.source)):
        assert not may_some(ANONYMOUS, "x.look")
        assert may_some(world.ann, "x.look")


def test_the_standard_policy_names_the_five_verbs() -> None:
    policy = Policy.standard("access_testapp.Document", close=CLOSE)
    assert dict(policy.actions) == {
        **{
            verb: f"access_testapp.{verb}_document"
            for verb in ("view", "add", "change", "delete", "restore")
        },
        "close": CLOSE,
    }


def test_a_policy_says_what_to_add() -> None:
    with pytest.raises(PolicyError, match="add suspend=<permission>"):
        Policy(view=VIEW).permission("suspend")


def test_a_policy_needs_view() -> None:
    with pytest.raises(PolicyError, match="view=<permission>"):
        Policy(change=CHANGE)


@pytest.mark.parametrize("given", ["view", None, SignedIn()])
def test_a_policy_takes_names_only(given: object) -> None:
    with pytest.raises(PolicyError, match="permission's name"):
        Policy(view=given)  # type: ignore[arg-type]


def test_a_policy_scopes_lists_by_view(world: World) -> None:
    policy = Policy(view=VIEW)
    assert policy.scope(world.single, Document.objects.all()).get().title == "bare"
    assert policy.may_some(world.single, "view")
    assert not policy.may_some(world.nobody, "view")


def test_a_policy_tells_invisible_rows_from_forbidden_ones(world: World) -> None:
    policy = Policy(view=VIEW, change=CHANGE, close=CLOSE)
    town, county = world.documents["town"], world.documents["county"]
    assert policy.decide(world.town, "view", town).code == "allowed"
    assert policy.decide(world.town, "change", town).code == "denied"
    assert policy.decide(world.town, "change", county).code == "not_visible"
    assert policy.decide(world.town, "view", county).code == "not_visible"
    assert policy.decide(world.town, "close").code == "denied"
    assert policy.decide(ANONYMOUS, "change", county).code == "unauthenticated"


def test_a_row_that_is_not_stored_yet_is_refused_as_forbidden(world: World) -> None:
    policy = Policy.standard("access_testapp.Document")
    assert policy.decide(world.nobody, "add", Document()).code == "denied"
