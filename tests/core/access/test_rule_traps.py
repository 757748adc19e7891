"""Each way in which combined predicates fail open, shown on the naive form and designed out of ours."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import pytest
from django.db.models import BooleanField, ExpressionWrapper, Model, Q
from rules.predicates import Predicate, always_false

from platform_core.access import (
    ANONYMOUS,
    Actor,
    Always,
    Granted,
    Never,
    ObjectRequired,
    Rule,
    SignedIn,
    Where,
    actor,
    system_actor,
)
from platform_core.testing.rule_gate import check_rule
from tests.core.access.conftest import VIEW, World
from tests.core.access.testapp.models import Comment, Document

COMBINE = [operator.and_, operator.or_, operator.xor]


class Custom(Rule):
    """A leaf whose faces are given; what a plugin may write, wrongly too."""

    def __init__(self, outcome: Any = True, rows: Q | None = None, may: bool = True) -> None:
        self._outcome, self._rows, self._may = outcome, rows, may
        super().__init__("Custom()")

    def outcome(self, actor: Actor, obj: Model | None, model: type[Model] | None) -> bool:
        if isinstance(self._outcome, Exception):
            raise self._outcome
        answer: bool = self._outcome(obj) if callable(self._outcome) else self._outcome
        return answer

    def rows(self, actor: Actor, model: type[Model]) -> Q:
        return Q(pk__isnull=False) if self._rows is None else self._rows

    def needs_object(self, model: type[Model] | None) -> bool:
        return callable(self._outcome)

    def may_hold(self, actor: Actor, model: type[Model] | None) -> bool:
        return self._may

    def text(self) -> str:
        return "something of our own"


def names(rule: Rule, who: Actor) -> list[str]:
    return sorted(Document.objects.filter(rule.q(who, Document)).values_list("title", flat=True))


def test_none_is_an_error_where_predicates_skip_it() -> None:
    undecided = Predicate(lambda: None)
    yes = Predicate(lambda: True)
    assert (undecided & yes).test() is True  # the naive form: one who did not answer agreed
    with pytest.raises(TypeError, match="True or False"):
        (Custom(None) & Always()).test(ANONYMOUS)


def test_an_empty_q_is_an_error_where_its_negation_means_everyone(world: World) -> None:
    assert Document.objects.filter(~Q()).count() == 5  # the naive form
    with pytest.raises(TypeError, match="empty Q"):
        Custom(rows=Q()).q(ANONYMOUS, Document)
    assert names(~Always(), ANONYMOUS) == []
    assert len(names(Always(), ANONYMOUS)) == 5


def test_always_true_survives_every_combination(world: World) -> None:
    assert bool(Always().q(ANONYMOUS, Document))
    assert names(~(Always() & SignedIn()), ANONYMOUS) == names(Always(), ANONYMOUS)
    assert names(~(~Always() | Never()) & Granted(VIEW), world.nobody) == []


@pytest.mark.parametrize("who", [ANONYMOUS, system_actor("nightly")])
def test_an_actor_without_id_owns_no_ownerless_row(world: World, who: Actor) -> None:
    assert Document.objects.filter(owner=who.id).count() == 2  # the naive form
    for rule in (Where("owner", actor), Where("created_by", actor), Where("readers", actor)):
        assert names(rule, who) == []
        assert not any(rule.test(who, row) for row in world.documents.values())
        assert not rule.may_hold(who, Document)


@pytest.mark.parametrize("combine", COMBINE)
@pytest.mark.parametrize(
    "other",
    [always_false, Predicate(lambda: True), lambda who, obj: True, None, True, Q(pk=1)],
    ids=["predicate", "own predicate", "function", "None", "bool", "Q"],
)
def test_a_rule_combines_with_rules_only(combine: Callable[[Any, Any], Any], other: object) -> None:
    with pytest.raises(TypeError):
        combine(Always(), other)
    with pytest.raises(TypeError):
        combine(other, Always())


def test_rules_do_not_combine_by_xor() -> None:
    with pytest.raises(TypeError, match=r"\^"):
        Always() ^ Never()


def test_a_foreign_predicate_class_cannot_absorb_a_rule() -> None:
    class Foreign(Predicate):
        """Not a base of Rule, so Python asks it first."""

    absorbed = Foreign(lambda: True) & Always()
    with pytest.raises(TypeError, match="as a plain predicate"):
        absorbed.test()
    with pytest.raises(TypeError, match="as a plain predicate"):
        Predicate(Always()).test()
    with pytest.raises(TypeError, match="as a plain predicate"):
        Always()()


@pytest.mark.parametrize("ask", [bool, lambda rule: rule and Never(), lambda rule: not rule])
def test_and_or_not_raise_where_they_would_drop_a_rule(ask: Callable[[Rule], object]) -> None:
    with pytest.raises(TypeError, match="no truth value"):
        ask(Always())


def test_to_many_paths_do_not_repeat_rows(world: World) -> None:
    naive = Q(comments__author=world.people["ann"].pk) | Q(status="open")
    town = Document.objects.filter(naive, title="town")
    assert town.count() > 1  # the naive form
    rule = Where("comments__author", actor) | Where("status", "open")
    assert names(rule, world.ann) == ["bare", "town", "unitless"]


def test_hidden_related_rows_count_in_both_faces(world: World) -> None:
    rule = Where("comments__author", actor)
    bare = world.documents["bare"]
    assert not bare.comments.exists()  # the naive form: the default manager hides it
    assert rule.test(world.ann, bare)
    assert "bare" in names(rule, world.ann)


def test_a_hidden_row_is_judged_like_any_other(world: World) -> None:
    hidden = Comment.all_objects.create(document=world.documents["bare"], hidden=True)
    hidden.likers.add(world.people["ann"])
    check_rule(Where("likers", actor), Comment, [world.ann], Comment.all_objects.all())
    assert Where("likers", actor).test(world.ann, hidden)


@pytest.mark.parametrize("order", [lambda a, b: (a, b), lambda a, b: (b, a)])
def test_an_operand_that_raises_is_never_hidden(order: Callable[[Any, Any], Any]) -> None:
    def broken() -> bool:
        raise LookupError

    naive = Predicate(lambda: True) | Predicate(broken)
    assert naive.test() is True  # the naive form
    for settled, combine in ((Always(), operator.or_), (Never(), operator.and_)):
        rule = combine(*order(settled, Custom(LookupError("lost"))))
        with pytest.raises(LookupError):
            rule.test(ANONYMOUS)
        with pytest.raises(LookupError):
            rule.explain(ANONYMOUS)
        with pytest.raises(LookupError):
            (~rule).test(ANONYMOUS)


def test_null_is_false_and_its_negation_true_in_both_faces(world: World) -> None:
    rule = ~Where("level", 1)
    assert names(rule, ANONYMOUS) == ["abroad", "bare", "town", "unitless"]
    assert rule.test(ANONYMOUS, world.documents["bare"])
    assert names(~~Where("level", 1), ANONYMOUS) == ["county"]


@pytest.mark.parametrize("rule", [Where("level", 1), Where("owner", actor), Granted(VIEW)])
def test_a_leaf_is_true_or_false_in_sql_too(world: World, rule: Rule) -> None:
    def answers(condition: Q) -> set[bool | None]:
        flag = ExpressionWrapper(condition, output_field=BooleanField())
        return set(Document.objects.annotate(flag=flag).values_list("flag", flat=True))

    assert answers(Q(level=1)) == {True, False, None}  # the naive form
    assert answers(rule.q(world.ann, Document)) <= {True, False}
    assert answers(rule.q(world.town, Document)) <= {True, False}


def test_an_actor_without_id_costs_no_query(world: World, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        assert names(Where("owner", actor), ANONYMOUS) == []


@pytest.mark.parametrize("rule", [Where("status", "open"), Granted(VIEW)])
def test_a_rule_about_a_row_never_answers_without_one(rule: Rule) -> None:
    for asked in (rule, ~rule, rule | Always(), Always() | rule, rule & Never()):
        assert asked.needs_object(Document)
        with pytest.raises(ObjectRequired):
            asked.test(ANONYMOUS, None, model=Document)
        with pytest.raises(ObjectRequired):
            asked.explain(ANONYMOUS, None, model=Document)


@pytest.mark.parametrize("face", ["test", "q"])
def test_a_subclass_cannot_replace_a_checked_face(face: str) -> None:
    with pytest.raises(TypeError, match=f"overrides {face}"):
        type("Sly", (Always,), {face: lambda *_: True})


def test_a_user_of_django_is_no_actor() -> None:
    for ask in (Always().test, lambda who: Always().q(who, Document)):
        with pytest.raises(TypeError, match="about an Actor"):
            ask(object())  # type: ignore[arg-type]


def is_open(row: Document) -> bool:
    return row.status == "open"


@pytest.mark.parametrize(
    ("broken", "complaint"),
    [
        (Custom(lambda row: row.level == 1, Q(level__gte=1)), "only the list has"),
        (Custom(is_open, Q(status="open", level__isnull=False)), "only decisions have"),
        (Custom(lambda row: row.tags.exists(), Q(tags__isnull=False)), "repeats"),
        (Custom(is_open, Q(status="open"), may=False), r"may_hold\(\) says no"),
    ],
)
def test_the_gate_catches_a_planted_fault(world: World, broken: Rule, complaint: str) -> None:
    with pytest.raises(AssertionError, match=complaint):
        check_rule(broken, Document, [world.nobody], Document.objects.order_by("pk"))


def test_the_gate_catches_an_explanation_that_differs(world: World) -> None:
    class Liar(Custom):
        def explain(self, actor: Actor, obj: Model | None = None, *, model: Any = None) -> Any:
            honest = super().explain(actor, obj, model=model)
            return type(honest)(honest.text, not honest.outcome)

    with pytest.raises(AssertionError, match="explained as"):
        check_rule(Liar(), Document, [world.nobody], Document.objects.all())


@pytest.mark.parametrize("said", [True, False])
def test_the_gate_catches_what_is_not_settled_at_all(world: World, said: bool) -> None:
    class Liar(Custom):
        def settled(self, actor: Actor, model: Any) -> bool | None:
            return said

    with pytest.raises(AssertionError, match=rf"settled\(\) says {said}"):
        check_rule(
            Liar(is_open, Q(status="open")), Document, [world.nobody], Document.objects.all()
        )


def test_the_gate_passes_a_right_rule_of_ones_own(world: World) -> None:
    check_rule(Custom(is_open, Q(status="open")), Document, world.actors, Document.objects.all())
