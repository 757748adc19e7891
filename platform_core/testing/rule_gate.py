"""The property gate of rules: what a list shows is exactly what single decisions allow."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from django.db.models import Model, QuerySet

    from platform_core.access import Actor, Rule


def check_rule(
    rule: Rule, model: type[Model], actors: Iterable[Actor], rows: QuerySet[Model]
) -> None:
    """Assert that the faces of ``rule`` and of its negation agree for every actor on every row.

    The rows that SQL returns are those that pass in Python, each once; the explanation has the same
    outcome; a rule that passes on some row may hold; what is settled is so on every row. Give the anonymous actor, an actor without
    grants, ownerless rows and rows without related rows too. Raises ``AssertionError`` that names
    rule, actor and keys.
    """
    for actor in actors:
        for one in (rule, ~rule):
            _check_lists(one, model, actor, rows)
            _check_explanations(one, model, actor, rows)


def _check_lists(rule: Rule, model: type[Model], actor: Actor, rows: QuerySet[Model]) -> None:
    listed = Counter(rows.filter(rule.q(actor, model)).values_list("pk", flat=True))
    passed = Counter(row.pk for row in rows if rule.test(actor, row, model=model))
    repeated = [key for key, times in listed.items() if times > 1]
    where = f"{rule} on {model._meta.label} for {actor}"
    if repeated:
        raise AssertionError(f"{where}: the list repeats {repeated}.")
    if listed != passed:
        raise AssertionError(
            f"{where}: only the list has {sorted(listed - passed)}, "
            f"only decisions have {sorted(passed - listed)}."
        )
    if passed and not rule.may_hold(actor, model):
        raise AssertionError(f"{where}: may_hold() says no, yet {sorted(passed)} pass.")
    settled = rule.settled(actor, model)
    others = len(rows) - len(passed) if settled else len(passed)
    if settled is not None and others:
        raise AssertionError(f"{where}: settled() says {settled} of every row, not so of {others}.")


def _check_explanations(
    rule: Rule, model: type[Model], actor: Actor, rows: QuerySet[Model]
) -> None:
    for row in rows:
        explained = rule.explain(actor, row, model=model).outcome
        if explained is not rule.test(actor, row, model=model):
            raise AssertionError(
                f"{rule} on {model._meta.label} {row.pk} for {actor}: explained as {explained}."
            )
