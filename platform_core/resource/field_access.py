"""Which fields of a resource an actor may read and write: everywhere, in some rows, nowhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property, reduce
from operator import and_
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from django.core.exceptions import FieldDoesNotExist
from django.db.models import BooleanField, Case, Value, When

from platform_core.access import Always, FieldAccess

if TYPE_CHECKING:
    from django.db.models import Model, QuerySet

    from platform_core.access import Actor, Rule
    from platform_core.resource.base import Resource

_NO_RULES: Mapping[str, Rule] = MappingProxyType({})


@dataclass(frozen=True)
class AccessibleFields:
    """The names of the fields that one actor may read and write, in the serializer's order.

    Those of ``readable_where`` and ``writable_where`` are among them, but only in the rows that the rule selects.
    ``unreadable`` are the names that the resource has rules for and that show in no row.
    """

    readable: tuple[str, ...]
    writable: tuple[str, ...]
    unreadable: frozenset[str] = frozenset()
    readable_where: Mapping[str, Rule] = field(default_factory=lambda: _NO_RULES)
    writable_where: Mapping[str, Rule] = field(default_factory=lambda: _NO_RULES)

    def is_readable_everywhere(self, name: str) -> bool:
        """Tell whether the field is readable in every row that the actor sees."""
        return name in self.readable and name not in self.readable_where

    @cached_property
    def conditions(self) -> tuple[Condition, ...]:
        """Return the rules that the database has to judge for each row, with the fields that depend on each."""
        by_rule: dict[Rule, list[str]] = {}
        for name, rule in self.readable_where.items():
            by_rule.setdefault(rule, []).append(name)
        return tuple(
            Condition(f"_readable_{index}", rule, frozenset(names))
            for index, (rule, names) in enumerate(by_rule.items())
        )

    @property
    def reading(self) -> tuple[tuple[str, ...], tuple[Condition, ...]]:
        """Return all that the way to read rows depends on."""
        return self.readable, self.conditions

    def of(
        self, rows: Sequence[Mapping[str, Any]], instances: Sequence[Any]
    ) -> Sequence[Mapping[str, Any]]:
        """Return ``rows`` without what may not be read; each shows an instance that ``judged`` has found."""
        if not self.unreadable and not self.conditions:
            return rows
        return [
            {name: row[name] for name in row if name not in self._hidden_in(instance)}
            for row, instance in zip(rows, instances, strict=True)
        ]

    def _hidden_in(self, instance: Any) -> frozenset[str]:
        failed = (
            one.names for one in self.conditions if getattr(instance, one.alias, None) is not True
        )
        return self.unreadable.union(*failed)


def accessible_fields(resource: type[Resource], actor: Actor) -> AccessibleFields:
    """Return what ``actor`` may read and write of the rows of ``resource`` that they may view and change.

    Without ``field_rules`` that is what the serializer shows and takes.
    """
    declared = _declared(resource)
    if not resource.field_rules:
        return declared
    viewing = _settled(resource, actor, "view")
    changing = _settled(resource, actor, "change")
    return AccessibleFields(
        readable=tuple(one for one in declared.readable if viewing.get(one) is not False),
        writable=tuple(one for one in declared.writable if changing.get(one) is not False),
        unreadable=frozenset(name for name, found in viewing.items() if found is False),
        readable_where=_conditional(declared.readable, viewing),
        writable_where=_conditional(declared.writable, changing),
    )


def _settled(
    resource: type[Resource], actor: Actor, verb: str
) -> Mapping[str, Rule | Literal[False]]:
    """Return by name what keeps the actor from a field: ``False`` in every row, a rule in some."""
    found: dict[str, Rule | Literal[False]] = {}
    outcomes: dict[Rule, bool | None] = {}
    for name, access in resource.field_rules.items():
        rule: Rule = getattr(access, verb)
        if rule not in outcomes:
            outcomes[rule] = rule.settled(actor, resource.model)
        if outcomes[rule] is not True:
            found[name] = rule if outcomes[rule] is None else False
    return found


def _conditional(
    names: tuple[str, ...], settled: Mapping[str, Rule | Literal[False]]
) -> Mapping[str, Rule]:
    rules = ((name, settled.get(name)) for name in names)
    return MappingProxyType(
        {name: rule for name, rule in rules if rule is not None and rule is not False}
    )


@dataclass(frozen=True, slots=True)
class Condition:
    """Fields that are shown in the rows which ``rule`` selects; its outcome is a column called ``alias``."""

    alias: str
    rule: Rule
    names: frozenset[str]


class FieldGate:
    """Which fields one actor may read and write of one row, or of one that does not exist yet."""

    def __init__(self, accessible: AccessibleFields, actor: Actor, row: Model | None) -> None:
        self._accessible, self._actor, self._row = accessible, actor, row
        self._outcomes: dict[Rule, bool] = {}

    def reads(self, name: str) -> bool:
        """Tell whether the actor may read the field; of a row to come only what is readable in all rows."""
        if name in self._accessible.unreadable:
            return False
        rule = self._accessible.readable_where.get(name)
        return rule is None or self._holds(rule, otherwise=False)

    def writes(self, name: str) -> bool:
        """Tell whether the actor may set the field; about a row to come a rule is asked once its values are known."""
        if name not in self._accessible.writable:
            return False
        rule = self._accessible.writable_where.get(name)
        return rule is None or self._holds(rule, otherwise=True)

    def _holds(self, rule: Rule, *, otherwise: bool) -> bool:
        if self._row is None:
            return otherwise
        if rule not in self._outcomes:
            self._outcomes[rule] = rule.test(self._actor, self._row)
        return self._outcomes[rule]


def judged(queryset: QuerySet[Any], actor: Actor, conditions: Sequence[Condition]) -> QuerySet[Any]:
    """Return ``queryset`` with the outcome of each condition for ``actor`` as one more column."""
    for one in conditions:
        holds = When(one.rule.q(actor, queryset.model), then=Value(True))
        outcome = Case(holds, default=Value(False), output_field=BooleanField())
        queryset = queryset.annotate(**{one.alias: outcome})
    return queryset


@cache
def _declared(resource: type[Resource]) -> AccessibleFields:
    fields: Mapping[str, Any] = resource.serializer_class().fields
    return AccessibleFields(
        readable=tuple(name for name, one in fields.items() if not one.write_only),
        writable=tuple(name for name, one in fields.items() if not one.read_only),
    )


@cache
def view_rules_of(resource: type[Resource]) -> Mapping[str, Rule]:
    """Return by column of the model, whatever the serializer calls it, the rule about who may know its value."""
    found: dict[str, Rule] = {}
    for column, names in names_of_protected(resource).items():
        rules = [resource.field_rules[name].view for name in names]
        asking = [rule for rule in rules if type(rule) is not Always]
        if asking:
            found[column] = reduce(and_, asking)
    return MappingProxyType(found)


@cache
def names_of_protected(resource: type[Resource]) -> Mapping[str, Sequence[str]]:
    """Return by column of the model the names under which the resource has rules for it."""
    fields: Mapping[str, Any] = resource.serializer_class().fields
    found: dict[str, list[str]] = {}
    for name in resource.field_rules:
        source = fields[name].source if name in fields else name
        found.setdefault(column_name(resource.model, source), []).append(name)
    return MappingProxyType(found)


def column_name(model: type[Model], source: str) -> str:
    """Return the one name of the column that ``source`` means; what is no column has its own."""
    try:
        return str(model._meta.get_field(source).name)
    except FieldDoesNotExist:
        return source


def field_rule_problems(resource: type[Resource]) -> Iterator[str]:
    """Yield what is wrong with the declared ``field_rules``."""
    fields: Mapping[str, Any] = resource.serializer_class().fields
    columns = {one.name for one in resource.model._meta.concrete_fields}
    declared: Mapping[str, Any] = resource.field_rules
    for name, access in declared.items():
        if name not in fields and name not in columns:
            yield f"{name!r} is no field of the serializer or the model"
        if not isinstance(access, FieldAccess):
            yield f"{name!r} has no FieldAccess"
            continue
        for rule in {access.view, access.change}:
            yield from (f"{name!r}: {problem}" for problem in rule.problems(resource.model))
    protected = names_of_protected(resource)
    if {"id", "pk"} & protected.keys():
        yield "the id is in the address of the row and cannot be kept from whoever sees it"
    for name, one in fields.items():
        column = column_name(resource.model, one.source)
        if column in protected and name not in resource.field_rules:
            yield f"{name!r} shows the protected column {column!r} too; give it rules as well"
    for name in (one.removeprefix("-") for one in resource.ordering.split(",")):
        if column_name(resource.model, name) in protected:
            yield f"the order that everybody gets is by {name!r}; take another one"
