"""SQL that is built once per shape of a question: who asks changes the values in it, seldom the text.

Building the condition of a rule and compiling it costs more than running it. What a rule asks for depends on the actor
by a few values only: their id, and the units that a permission was granted in. So a statement is compiled for a made-up
actor whose values can be recognised among its parameters, and the present actor's are put in their places. It is
used only after it came out equal to what was compiled for a real actor; whatever is not understood (a rule of
a plugin's own making, grants on single objects, a source of grants that asks the database first) is compiled each time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID, uuid4

from django.core.exceptions import EmptyResultSet
from django.db import DEFAULT_DB_ALIAS, connections

from platform_core.access import (
    Actor,
    Always,
    Grant,
    Granted,
    Grants,
    Never,
    PermissionRegistry,
    Rule,
    SignedIn,
    Where,
    installed_permissions,
)
from platform_core.access.rules import All, AnyOf, Not
from platform_core.prepared import can_be_prepared

if TYPE_CHECKING:
    from django.db.models import QuerySet

Build = Callable[[Actor], "QuerySet[Any, Any]"]
Shape = tuple[Hashable, ...]

_MOST_STATEMENTS: Final = 1024
_MOST_UNITS: Final = 32
_COMBINATIONS: Final = frozenset({All, AnyOf, Not})


@dataclass(frozen=True, slots=True)
class _UnitOf:
    """Stands for one of the units that a permission was granted in; which one, does not matter."""

    permission: str
    index: int


class _ActorId:
    """Stands for the id of whoever asks."""


_ACTOR_ID: Final = _ActorId()


@dataclass(frozen=True, slots=True)
class _Statement:
    """SQL whose parameters are constants, values of the actor, and at the end values of the question."""

    sql: str
    params: tuple[Any, ...]

    def bind(self, actor: Actor, tail: Sequence[Any]) -> tuple[Any, ...]:
        """Return the parameters for ``actor``, followed by ``tail``."""
        return (*(_value(one, actor) for one in self.params), *tail)


def _value(param: Any, actor: Actor) -> Any:
    if type(param) is _UnitOf:
        return list(actor.grants.get(param.permission).units)[param.index]
    return actor.id if param is _ACTOR_ID else param


def prepared_statement(
    actor: Actor,
    permission: str,
    key: Hashable,
    build: Build,
    tail: Sequence[Any] = (),
    rules: Sequence[Rule] = (),
) -> tuple[str, tuple[Any, ...]] | None:
    """Return SQL and parameters of the query that ``build(actor)`` makes, or ``None`` when it has to be asked itself.

    ``build`` scopes its query by ``permission`` and asks ``rules`` in it; but for the actor, ``key`` and ``tail`` say
    all that it depends on. ``tail`` are the last parameters, as the database takes them.
    """
    registry = installed_permissions()
    leaves = _leaves_of(registry, permission)
    if leaves is None or not all(map(_is_known, rules)):
        return None
    if rules:
        leaves = (*leaves, *(leaf for rule in rules for leaf in rule.leaves()))
    shape = _shape(leaves, actor)
    if shape is None:
        return None
    whole = (registry, permission, shape, key)
    if whole in _statements:
        found = _statements[whole]
    else:
        found = _prepare(leaves, actor, build, tail)
        if len(_statements) >= _MOST_STATEMENTS:
            _statements.clear()
        _statements[whole] = found
    return None if found is None else (found.sql, found.bind(actor, tail))


_statements: dict[Hashable, _Statement | None] = {}
"""By registry, permission, shape and question; ``None`` where the query has to be built; emptied when full."""
_leaves: dict[tuple[PermissionRegistry, str], tuple[Rule, ...] | None] = {}


def _leaves_of(registry: PermissionRegistry, permission: str) -> tuple[Rule, ...] | None:
    """Return the ends of a permission's rule, or ``None`` when a part of it may depend on anything."""
    key = (registry, permission)
    if key not in _leaves:
        if len(_leaves) >= _MOST_STATEMENTS:
            _leaves.clear()
        known = registry.get(permission)
        plain = known is not None and registry.model_of(permission) is not None
        _leaves[key] = (
            tuple(known.rule.leaves()) if known and plain and _is_known(known.rule) else None
        )
    return _leaves[key]


def _is_known(rule: Rule) -> bool:
    if type(rule) in _COMBINATIONS:
        return all(_is_known(operand) for operand in rule.operands)
    return type(rule) in (Always, Granted, Never, SignedIn, Where)


def _shape(leaves: Sequence[Rule], actor: Actor) -> Shape | None:
    """Return all that the text of the rules' SQL depends on, or ``None`` when it can be anything."""
    shape: list[Hashable] = [actor.is_authenticated, actor.id is None]
    for leaf in leaves:
        if type(leaf) is Granted:
            grant = actor.grants.get(leaf.permission)
            if (grant.objects and not grant.everywhere) or len(grant.units) > _MOST_UNITS:
                return None
            shape.append((grant.everywhere, len(grant.units)))
    return tuple(shape)


class _Asked(Exception):
    """Building the query asked the database, so the answer is a part of it."""


def _refuse(*_: Any) -> Any:
    raise _Asked


def _prepare(
    leaves: Sequence[Rule], actor: Actor, build: Build, tail: Sequence[Any]
) -> _Statement | None:
    probe, units = _probe(leaves, actor)
    try:
        sql, params = _compiled(build(probe))
        real = _compiled(build(actor))
    except (EmptyResultSet, _Asked):
        return None
    constant = len(params) - len(tail)
    template = tuple(_recognised(one, probe, units) for one in params[:constant])
    statement = _Statement(sql, template)
    if _mentions((sql, template, params[constant:]), probe, units):
        return None
    if not _all_used_alike(template, units.values()):
        return None
    if (sql, statement.bind(actor, tail)) != real:
        return None
    return statement if can_be_prepared(*real, using=DEFAULT_DB_ALIAS) else None


def _all_used_alike(template: Sequence[Any], units: Collection[_UnitOf]) -> bool:
    """Tell whether each unit of a permission stands as often in the statement as the permission's others."""
    uses = Counter(one for one in template if isinstance(one, _UnitOf))
    return all(
        len({uses[one] for one in units if one.permission == permission}) == 1
        for permission in {one.permission for one in units}
    )


def _mentions(found: object, probe: Actor, units: Collection[UUID]) -> bool:
    """Tell whether a made-up value is where it was not recognised."""
    text = repr(found)
    made_up = (*units, *(() if probe.id is None else (probe.id,)))
    return any(str(one) in text or one.hex in text for one in made_up)


def _probe(leaves: Sequence[Rule], actor: Actor) -> tuple[Actor, dict[UUID, _UnitOf]]:
    """Return an actor like ``actor`` whose values exist nowhere else, and what each of its units stands for."""
    units: dict[UUID, _UnitOf] = {}
    held: dict[str, Grant] = {}
    for leaf in leaves:
        if isinstance(leaf, Granted) and leaf.permission not in held:
            grant = actor.grants.get(leaf.permission)
            made_up = frozenset(uuid4() for _ in grant.units)
            units |= {unit: _UnitOf(leaf.permission, index) for index, unit in enumerate(made_up)}
            held[leaf.permission] = Grant(everywhere=grant.everywhere, units=made_up)
    probe = Actor(None if actor.id is None else uuid4(), actor.kind, actor.label)
    probe.keep_grants(Grants(held))
    return probe, units


def _recognised(param: Any, probe: Actor, units: dict[UUID, _UnitOf]) -> Any:
    if not isinstance(param, UUID):
        return param
    return _ACTOR_ID if param == probe.id else units.get(param, param)


def _compiled(queryset: QuerySet[Any, Any]) -> tuple[str, tuple[Any, ...]]:
    """Return SQL and parameters; raises ``_Asked`` for columns that Django converts in Python, too."""
    compiler: Any = queryset.query.get_compiler(queryset.db)
    with connections[queryset.db].execute_wrapper(_refuse):
        sql, params = compiler.as_sql()
    if compiler.get_converters([selected[0] for selected in compiler.select]):
        raise _Asked
    return sql, tuple(params)
