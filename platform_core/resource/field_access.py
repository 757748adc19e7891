"""Which fields of a resource an actor may read and write: everywhere, in some rows, nowhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from platform_core.access import FieldAccess

if TYPE_CHECKING:
    from platform_core.access import Actor, Rule
    from platform_core.resource.base import Resource

_NO_RULES: Mapping[str, Rule] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class AccessibleFields:
    """The names of the fields that one actor may read and write, in the serializer's order.

    Those of ``readable_where`` and ``writable_where`` are among them, but only in the rows that the rule selects.
    """

    readable: tuple[str, ...]
    writable: tuple[str, ...]
    readable_where: Mapping[str, Rule] = field(default_factory=lambda: _NO_RULES)
    writable_where: Mapping[str, Rule] = field(default_factory=lambda: _NO_RULES)

    def is_readable_everywhere(self, name: str) -> bool:
        """Tell whether the field is readable in every row that the actor sees."""
        return name in self.readable and name not in self.readable_where


def accessible_fields(resource: type[Resource], actor: Actor) -> AccessibleFields:
    """Return what ``actor`` may read and write of the rows of ``resource`` that they may view and change.

    Without ``field_rules`` that is what the serializer shows and takes.
    """
    declared = _declared(resource)
    if not resource.field_rules:
        return declared
    readable, readable_where = _allowed(resource, actor, declared.readable, "view")
    writable, writable_where = _allowed(resource, actor, declared.writable, "change")
    return AccessibleFields(readable, writable, readable_where, writable_where)


@cache
def _declared(resource: type[Resource]) -> AccessibleFields:
    fields: Mapping[str, Any] = resource.serializer_class().fields
    return AccessibleFields(
        readable=tuple(name for name, one in fields.items() if not one.write_only),
        writable=tuple(name for name, one in fields.items() if not one.read_only),
    )


@cache
def protected_columns(resource: type[Resource]) -> Mapping[str, FieldAccess]:
    """Return the rules by column of the model, whatever the serializer calls it."""
    fields: Mapping[str, Any] = resource.serializer_class().fields
    return MappingProxyType(
        {
            str(fields[name].source) if name in fields else name: access
            for name, access in resource.field_rules.items()
        }
    )


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
    protected = protected_columns(resource)
    if {"id", "pk"} & protected.keys():
        yield "the id is in the address of the row and cannot be kept from whoever sees it"
    for name, one in fields.items():
        if one.source in protected and name not in resource.field_rules:
            yield f"{name!r} shows the protected column {one.source!r} too; give it rules as well"
    for name in (one.removeprefix("-") for one in resource.ordering.split(",")):
        if name in protected:
            yield f"the order that everybody gets is by {name!r}; take another one"


def _allowed(
    resource: type[Resource], actor: Actor, names: tuple[str, ...], verb: str
) -> tuple[tuple[str, ...], Mapping[str, Rule]]:
    """Return those of ``names`` that the rules allow in some row, and the rules of those that depend on it."""
    found: list[str] = []
    conditional: dict[str, Rule] = {}
    for name in names:
        access = resource.field_rules.get(name)
        rule: Rule | None = None if access is None else getattr(access, verb)
        outcome = True if rule is None else rule.settled(actor, resource.model)
        if outcome is not False:
            found.append(name)
        if rule is not None and outcome is None:
            conditional[name] = rule
    return tuple(found), MappingProxyType(conditional)
