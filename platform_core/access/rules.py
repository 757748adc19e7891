"""What a rule is: one definition with a Python, an SQL and an explaining face."""
# ruff: noqa: D102 - what the faces and hooks of a rule mean is said once, on Rule

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Never, final

from django.utils.functional import lazy
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _
from rules.predicates import Predicate

from platform_core.access.actors import Actor

if TYPE_CHECKING:
    from django.db.models import Model, Q
    from django_stubs_ext import StrOrPromise


class ObjectRequired(Exception):
    """A rule that depends on a row was asked without one, which has no answer."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a rule held or did not: its condition in words, the outcome, and the same for its parts.

    The text of a combination names only the parts that settled it.
    """

    text: StrOrPromise
    outcome: bool
    children: tuple[Explanation, ...] = ()


class Rule(Predicate, ABC):
    """A condition on an actor and a row, decided alike in Python and in SQL.

    It is a ``rules.Predicate`` by type only: rules combine by ``&``, ``|`` and ``~`` with rules and
    nothing else, evaluate every operand, and answer ``True`` or ``False``, never ``None``. A new
    kind of leaf implements ``outcome``, ``rows``, ``needs_object``, ``may_hold`` and ``text``.
    """

    def __init__(self, name: str) -> None:
        super().__init__(self._refuse_as_predicate, name=name)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for face, hook in (("test", "outcome"), ("q", "rows")):
            if face in cls.__dict__:
                raise TypeError(
                    f"{cls.__qualname__} overrides {face}(), which checks answers: define {hook}()."
                )

    @abstractmethod
    def outcome(self, actor: Actor, obj: Model | None, model: type[Model] | None) -> bool:
        """Decide for one row; ``obj`` is ``None`` only when ``needs_object(model)`` is false."""

    @abstractmethod
    def rows(self, actor: Actor, model: type[Model]) -> Q:
        """Return the rows for which ``outcome`` is true: not empty and never NULL.

        It must not join a to-many relation: use ``Exists``.
        """

    @abstractmethod
    def needs_object(self, model: type[Model] | None) -> bool:
        """Tell by structure alone whether a permission about ``model`` needs a row."""

    @abstractmethod
    def may_hold(self, actor: Actor, model: type[Model] | None) -> bool:
        """Tell whether a row could exist for which the rule holds; never false when one could."""

    def settled(self, actor: Actor, model: type[Model] | None) -> bool | None:
        """Return the outcome where it is the same on every row of ``model``, ``None`` where a row has to be asked.

        It answers as ``test`` does on each row. What is not known to hold on every row does not.
        """
        if not self.needs_object(model):
            return self.test(actor, None, model=model)
        return None if self.may_hold(actor, model) else False

    @abstractmethod
    def text(self) -> StrOrPromise:
        """Return the condition in words, as it completes "This needs: …"."""

    @property
    def operands(self) -> tuple[Rule, ...]:
        """Return the rules that this one combines."""
        return ()

    def problems(self, model: type[Model] | None) -> Iterator[str]:
        """Yield what is wrong with the rule for a permission about ``model``."""
        for operand in self.operands:
            yield from operand.problems(model)

    def leaves(self) -> Iterator[Rule]:
        """Yield the rules at the ends of the tree."""
        if not self.operands:
            yield self
        for operand in self.operands:
            yield from operand.leaves()

    @final
    def test(  # type: ignore[override]  # a predicate takes any two arguments; a rule says which
        self, actor: Actor, obj: Model | None = None, *, model: type[Model] | None = None
    ) -> bool:
        """Decide for one row.

        ``model`` is what the permission is about, by default the row's own class. Raises
        ``ObjectRequired`` when the rule needs a row and gets none, ``TypeError`` when a leaf
        answers something else than a bool.
        """
        _require_actor(actor)
        if model is None and obj is not None:
            model = type(obj)
        if obj is None and self.needs_object(model):
            raise ObjectRequired(f"{self} depends on the row: ask with an object.")
        outcome = self.outcome(actor, obj, model)
        if not isinstance(outcome, bool):
            raise TypeError(f"{self} answered {outcome!r}; a rule answers True or False.")
        return outcome

    @final
    def q(self, actor: Actor, model: type[Model]) -> Q:
        """Return the rows of ``model`` for which the rule holds; never an empty condition.

        Raises ``TypeError`` for an empty ``Q``, which would mean everyone under ``~`` too.
        """
        _require_actor(actor)
        condition = self.rows(actor, model)
        if not condition:
            raise TypeError(f"{self} returned an empty Q, which means everyone even when negated.")
        return condition

    def explain(
        self, actor: Actor, obj: Model | None = None, *, model: type[Model] | None = None
    ) -> Explanation:
        """Return why the rule holds or does not; raises what ``test`` raises."""
        return Explanation(self.text(), self.test(actor, obj, model=model))

    def __and__(self, other: object) -> Rule:
        return All(self, _require_rule(other, "&"))

    def __or__(self, other: object) -> Rule:
        return AnyOf(self, _require_rule(other, "|"))

    def __invert__(self) -> Rule:
        return Not(self)

    def __rand__(self, other: object) -> Never:
        _refuse(other, "&")

    def __ror__(self, other: object) -> Never:
        _refuse(other, "|")

    def __xor__(self, other: object) -> Never:
        raise TypeError("Rules do not combine by ^: write (a & ~b) | (~a & b).")

    __rxor__ = __xor__

    def __bool__(self) -> Never:
        raise TypeError("A rule has no truth value: combine rules by & | ~, not by and, or, not.")

    def __call__(self, *args: object, **kwargs: object) -> Never:
        self._refuse_as_predicate()

    def _apply(self, *args: object) -> Never:
        self._refuse_as_predicate()

    def _refuse_as_predicate(self, *args: object) -> Never:
        raise TypeError(
            f"{self} is a rule: ask test(), q() or explain(), not as a plain predicate."
        )


class _Combination(Rule):
    """Two rules or more of which all, or at least one, have to hold."""

    _sign: str

    def __init__(self, *operands: Rule) -> None:
        self._operands = operands
        super().__init__(f"({f' {self._sign} '.join(map(str, operands))})")

    @property
    def operands(self) -> tuple[Rule, ...]:
        return self._operands

    @abstractmethod
    def combine(self, outcomes: list[bool]) -> bool:
        """Return the outcome of the whole from those of all parts."""

    @abstractmethod
    def join(self, texts: list[StrOrPromise]) -> StrOrPromise:
        """Return the words of the whole from those of some parts."""

    # Lists, not generators: every operand is asked, so that none that raises is hidden.
    def outcome(self, actor: Actor, obj: Model | None, model: type[Model] | None) -> bool:
        return self.combine([operand.test(actor, obj, model=model) for operand in self._operands])

    def may_hold(self, actor: Actor, model: type[Model] | None) -> bool:
        return self.combine([operand.may_hold(actor, model) for operand in self._operands])

    def settled(self, actor: Actor, model: type[Model] | None) -> bool | None:
        parts = [operand.settled(actor, model) for operand in self._operands]
        least, most = (
            self.combine([part is True for part in parts]),
            self.combine([part is not False for part in parts]),
        )
        return least if least is most else None

    def needs_object(self, model: type[Model] | None) -> bool:
        return any(operand.needs_object(model) for operand in self._operands)

    def text(self) -> StrOrPromise:
        return self.join([operand.text() for operand in self._operands])

    def explain(
        self, actor: Actor, obj: Model | None = None, *, model: type[Model] | None = None
    ) -> Explanation:
        parts = tuple(operand.explain(actor, obj, model=model) for operand in self._operands)
        outcome = self.combine([part.outcome for part in parts])
        decisive = [part.text for part in parts if part.outcome is outcome]
        return Explanation(self.join(decisive), outcome, parts)


class All(_Combination):
    """Holds when every operand does; written ``a & b``."""

    _sign = "&"

    def combine(self, outcomes: list[bool]) -> bool:
        return all(outcomes)

    def join(self, texts: list[StrOrPromise]) -> StrOrPromise:
        return _join_lazily(_(" and "), *texts)

    def rows(self, actor: Actor, model: type[Model]) -> Q:
        first, *rest = [operand.q(actor, model) for operand in self._operands]
        for condition in rest:
            first = first & condition
        return first


class AnyOf(_Combination):
    """Holds when at least one operand does; written ``a | b``."""

    _sign = "|"

    def combine(self, outcomes: list[bool]) -> bool:
        return any(outcomes)

    def join(self, texts: list[StrOrPromise]) -> StrOrPromise:
        return _join_lazily(_(" or "), *texts)

    def rows(self, actor: Actor, model: type[Model]) -> Q:
        first, *rest = [operand.q(actor, model) for operand in self._operands]
        for condition in rest:
            first = first | condition
        return first


class Not(Rule):
    """Holds when its operand does not; written ``~a``."""

    def __init__(self, operand: Rule) -> None:
        self._operand = operand
        super().__init__(f"~{operand}")

    @property
    def operands(self) -> tuple[Rule, ...]:
        return (self._operand,)

    def outcome(self, actor: Actor, obj: Model | None, model: type[Model] | None) -> bool:
        return not self._operand.test(actor, obj, model=model)

    def rows(self, actor: Actor, model: type[Model]) -> Q:
        return ~self._operand.q(actor, model)

    def settled(self, actor: Actor, model: type[Model] | None) -> bool | None:
        inner = self._operand.settled(actor, model)
        return None if inner is None else not inner

    def needs_object(self, model: type[Model] | None) -> bool:
        return self._operand.needs_object(model)

    def may_hold(self, actor: Actor, model: type[Model] | None) -> bool:
        # Without a row nobody knows where the operand fails, so a row may exist.
        return self.needs_object(model) or not self._operand.test(actor, None, model=model)

    def text(self) -> StrOrPromise:
        return _negated(self._operand.text())

    def explain(
        self, actor: Actor, obj: Model | None = None, *, model: type[Model] | None = None
    ) -> Explanation:
        inner = self._operand.explain(actor, obj, model=model)
        return Explanation(_negated(inner.text), not inner.outcome, (inner,))


def _negated(text: StrOrPromise) -> StrOrPromise:
    return format_lazy(_("not ({condition})"), condition=text)


def _join(separator: StrOrPromise, *texts: StrOrPromise) -> str:
    return str(separator).join(map(str, texts))


_join_lazily = lazy(_join, str)


def _require_actor(actor: Actor) -> None:
    if not isinstance(actor, Actor):
        raise TypeError(f"A rule is asked about an Actor, not {type(actor).__name__}.")


def _require_rule(other: object, sign: str) -> Rule:
    if not isinstance(other, Rule):
        _refuse(other, sign)
    return other


def _refuse(other: object, sign: str) -> Never:
    raise TypeError(
        f"{type(other).__name__} {sign} Rule: a rule combines with rules only, "
        "because anything else has no SQL face and may answer None."
    )
