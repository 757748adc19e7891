"""Random trees of rules: the list of a scope is the list of single decisions."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from platform_core.access import Always, Granted, Never, Rule, SignedIn, Where, actor
from platform_core.testing.rule_gate import check_rule
from tests.core.access.conftest import VIEW, VIEW_COUNTER, VIEW_EVENT, VIEW_UNIT, World
from tests.core.access.testapp.models import Counter, Document, Event, Unit

DOCUMENT_LEAVES: tuple[Rule, ...] = (
    Always(),
    Never(),
    SignedIn(),
    Granted(VIEW),
    Granted("access_testapp.change_document"),
    Where("owner", actor),
    Where("owner_id", actor),
    Where("owner__id", actor),
    Where("created_by", actor),
    Where("readers", actor),
    Where("comments__author", actor),
    Where("owner__badge", True, "isnull"),
    Where("owner__badge__level", 3),
    Where("owner__badge__level", 2, "gt"),
    Where("owner__readable__status", "open"),
    Where("status", "open"),
    Where("status", ["open", "closed"], "in"),
    Where("status", [], "in"),
    Where("level", 2, "gte"),
    Where("level", 2, "lte"),
    Where("level", 2, "lt"),
    Where("level", True, "isnull"),
    Where("owner", False, "isnull"),
    Where("tags__word", "blue"),
    Where("tags__word", True, "isnull"),
    Where("tags", True, "isnull"),
    Where("comments", False, "isnull"),
    Where("school__name", "unitless"),
    Where("school__unit__parent__name", "county"),
    Where("school__unit__below__name", "town"),
)


def trees(leaves: tuple[Rule, ...]) -> st.SearchStrategy[Rule]:
    """Trees of up to eight leaves joined by the three combinators."""
    return st.recursive(
        st.sampled_from(leaves),
        lambda inner: st.one_of(
            inner.map(lambda rule: ~rule),
            st.tuples(inner, inner).map(lambda pair: pair[0] & pair[1]),
            st.tuples(inner, inner).map(lambda pair: pair[0] | pair[1]),
        ),
        max_leaves=8,
    )


generously = settings(
    max_examples=80,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.mark.parametrize("leaf", DOCUMENT_LEAVES, ids=str)
def test_every_leaf_lists_what_it_decides(world: World, leaf: Rule) -> None:
    check_rule(leaf, Document, world.actors, Document.objects.all())


@generously
@given(rule=trees(DOCUMENT_LEAVES))
def test_every_tree_lists_what_it_decides(world: World, rule: Rule) -> None:
    check_rule(rule, Document, world.actors, Document.objects.all())


@generously
@given(rule=trees((Granted(VIEW_EVENT), Where("units__name", "county"), SignedIn())))
def test_units_behind_a_to_many_path_list_what_they_decide(world: World, rule: Rule) -> None:
    check_rule(rule, Event, world.actors, Event.objects.all())


@generously
@given(rule=trees((Granted(VIEW_UNIT), Where("parent__name", "county"), Where("pk", actor))))
def test_the_tree_of_units_lists_what_it_decides(world: World, rule: Rule) -> None:
    check_rule(rule, Unit, world.actors, Unit.objects.all())


@generously
@given(rule=trees((Granted(VIEW_COUNTER), Where("total", 1), Never())))
def test_a_model_without_units_and_uuids_lists_what_it_decides(world: World, rule: Rule) -> None:
    check_rule(rule, Counter, world.actors, Counter.objects.all())
