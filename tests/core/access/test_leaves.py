"""What leaves accept, what they say, and how paths are followed in memory."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.db.models import F
from django.db.models.functions import Now

from platform_core.access import (
    ANONYMOUS,
    Actor,
    Always,
    Grant,
    Granted,
    Grants,
    Never,
    ObjectRequired,
    PermissionRegistry,
    SignedIn,
    Where,
    actor,
    using_permissions,
)
from platform_core.access.paths import PathError, resolve_path
from tests.core.access.conftest import CLOSE, VIEW, VIEW_EVENT, World
from tests.core.access.testapp.grants import MemoryGrantSource
from tests.core.access.testapp.models import Badge, Document, Event, Lost, Person, School, Unit


@pytest.mark.parametrize(
    ("value", "lookup", "error"),
    [
        (None, "exact", TypeError),
        ([None], "in", TypeError),
        ("open", "in", TypeError),
        (1, "isnull", TypeError),
        (actor, "in", TypeError),
        (actor, "isnull", TypeError),
        ("m", "gt", TypeError),
        (Now(), "lt", TypeError),
        ([F("level")], "in", TypeError),
        (School(), "exact", TypeError),
        (uuid.uuid4, "exact", TypeError),
        ("x", "icontains", ValueError),
    ],
)
def test_where_refuses_what_python_and_sql_judge_differently(
    value: object, lookup: str, error: type[Exception]
) -> None:
    with pytest.raises(error, match=r"Where\(\)|Where\(…"):
        Where("status", value, lookup)


@pytest.mark.parametrize("name", ["view_document", None, 7])
def test_granted_takes_a_permission_name(name: Any) -> None:
    with pytest.raises(ValueError, match="permission name"):
        Granted(name)


@pytest.mark.parametrize(
    "path", ["nothing", "owner__nothing", "status__year", "subject", "owner__name__x", ""]
)
def test_a_path_that_leads_nowhere_is_named(path: str) -> None:
    with pytest.raises(PathError):
        resolve_path(Document, path)
    assert [*Where(path, 1).problems(Document)]


def test_rules_read_like_they_are_written() -> None:
    rule = ~(Granted(VIEW) & Where("owner", actor)) | Where("level", 2, "gte")
    assert str(rule) == (
        f"(~(Granted('{VIEW}') & Where('owner', actor)) | Where('level', 2, 'gte'))"
    )


def test_constants_are_compared_as_the_column_stores_them(world: World) -> None:
    ann = world.people["ann"]
    rule = Where("owner", str(ann.pk))
    assert rule.test(ANONYMOUS, world.documents["county"])
    assert Where("owner", [str(ann.pk)], "in").test(ANONYMOUS, world.documents["county"])
    assert Where("created_by", actor).test(world.ann, Document(created_by=str(ann.pk)))


def test_an_unsaved_row_is_judged_by_what_it_holds(world: World) -> None:
    ann = world.people["ann"]
    row = Document(owner=ann, school=world.documents["county"].school)
    assert Where("owner", actor).test(world.ann, row)
    assert Where("owner__badge__level", 3).test(world.ann, row)
    assert Granted(VIEW).test(world.county, row)
    assert not Granted(VIEW).test(world.town, row)
    assert not Where("tags__word", "red").test(world.ann, row)


def test_a_required_step_that_is_not_set_reaches_nothing(world: World) -> None:
    assert not Where("person__name", "ann").test(world.ann, Badge())


def test_a_missing_other_end_reaches_nothing_in_both_faces(world: World) -> None:
    row = Document.objects.create(title="cyd's", owner=Person.objects.create(name="cyd"))
    for rule in (Where("owner__badge__level", 3), Where("owner__badge", False, "isnull")):
        assert not rule.test(world.ann, row)
        assert row not in Document.objects.filter(rule.q(world.ann, Document))
        assert row in Document.objects.filter((~rule).q(world.ann, Document))


def test_the_leaf_itself_demands_a_row() -> None:
    with pytest.raises(ObjectRequired):
        Where("level", 1).outcome(ANONYMOUS, None, Document)


def test_a_value_that_only_the_database_knows_is_an_error(world: World) -> None:
    row = world.documents["county"]
    row.level = F("level") + 1
    for rule in (Where("level", 1), ~Where("level", 1)):
        with pytest.raises(TypeError, match="expression"):
            rule.test(world.ann, row)


def test_one_check_over_a_to_many_path_is_one_query(
    world: World, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(1):
        Where("comments__author__badge__level", 3).test(world.ann, world.documents["town"])


def test_a_scoped_list_is_one_query(world: World, django_assert_num_queries: Any) -> None:
    rule = Granted(VIEW) | Where("owner", actor)
    condition = rule.q(world.everywhere, Document)
    with django_assert_num_queries(1):
        assert Document.objects.filter(condition).count() == 5


def test_a_rule_that_nobody_meets_asks_no_row(world: World, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        assert list(Document.objects.filter(Granted(VIEW).q(ANONYMOUS, Document))) == []


def test_a_grant_reaches_the_units_below_and_no_others(world: World) -> None:
    titles = {
        name: sorted(
            Document.objects.filter(Granted(VIEW).q(who, Document)).values_list("title", flat=True)
        )
        for name, who in (("county", world.county), ("town", world.town), ("one", world.single))
    }
    assert titles == {"county": ["county", "town"], "town": ["abroad", "town"], "one": ["bare"]}


def test_a_row_of_two_granted_units_is_listed_once(world: World) -> None:
    rows = Event.objects.filter(Granted(VIEW_EVENT).q(world.county, Event))
    assert [row.title for row in rows] == ["both"]


def test_without_a_grant_source_units_count_for_nothing(world: World) -> None:
    holder = Actor(uuid.uuid4(), "user")
    grants = Grants({VIEW: Grant(units=frozenset({world.units["county"].pk}))})
    with using_permissions(PermissionRegistry([], MemoryGrantSource({holder.id: grants}))):  # type: ignore[dict-item]
        assert Granted(VIEW).test(holder, world.documents["town"])
    with using_permissions(PermissionRegistry()):
        assert not Granted(VIEW).test(holder, world.documents["town"])
        assert not Document.objects.filter(Granted(VIEW).q(holder, Document)).exists()


def test_a_grant_for_the_deployment_alone_answers_without_a_model(world: World) -> None:
    rule = Granted(CLOSE)
    assert [rule.test(who) for who in (world.everywhere, world.county, world.single)] == [
        True,
        False,
        False,
    ]
    assert [rule.may_hold(who, None) for who in (world.everywhere, world.county)] == [True, False]
    assert rule.may_hold(world.county, Document)


def test_problems_of_unit_paths_are_named() -> None:
    assert list(Granted(VIEW).problems(Document)) == []
    assert list(Granted(VIEW).problems(Unit)) == []
    assert list(Granted(VIEW).problems(None)) == []
    assert "leads to no unit" in next(Granted(VIEW).problems(Lost))


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        (Always(), "nothing"),
        (Never(), "something that nobody may do"),
        (SignedIn() & Where("owner", actor), "to be signed in and to be the “owner” of the object"),
        (~SignedIn(), "not (to be signed in)"),
        (
            Granted(VIEW) | Where("level", 2, "gte"),
            f"the permission “{VIEW}” here or an object whose “level” is right (gte 2)",
        ),
    ],
)
def test_conditions_read_as_words(rule: Any, text: str) -> None:
    assert str(rule.text()) == text


def test_an_explanation_names_the_parts_that_settled_it(world: World) -> None:
    rule = SignedIn() & (Granted(VIEW) | Where("owner", actor))
    explained = rule.explain(world.nobody, world.documents["county"])
    assert not explained.outcome
    assert "signed in" not in str(explained.text)
    assert [part.outcome for part in explained.children] == [True, False]
    assert [part.outcome for part in explained.children[1].children] == [False, False]
    negated = (~rule).explain(world.nobody, world.documents["county"])
    assert negated.outcome
    assert str(negated.text).startswith("not (")
