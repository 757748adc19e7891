"""The leaves of rules: what was granted, what the row says, who is signed in."""
# ruff: noqa: D102 - what the faces and hooks of a rule mean is said once, on Rule

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db.models import Exists, Model, OuterRef, Q, UUIDField
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from platform_core.access.actors import Actor, ActorReference
from platform_core.access.grants import installed_grant_source
from platform_core.access.paths import Path, PathError, objects_at, resolve_path, values_at
from platform_core.access.rules import ObjectRequired, Rule

if TYPE_CHECKING:
    from django.db.models import Field
    from django_stubs_ext import StrOrPromise

    from platform_core.access.grants import Grant, GrantSource

SELF: Final = "self"
"""The ``unit_path`` of the model of organisational units itself."""


def every_row() -> Q:
    """Return a condition that every row meets; not ``Q()``, whose negation every row meets too."""
    return Q(pk__isnull=False)


def no_row() -> Q:
    """Return a condition that no row meets; Django answers it without asking the database."""
    return Q(pk__in=())


class Always(Rule):
    """Holds for everybody, the anonymous actor included, on every row."""

    def __init__(self) -> None:
        super().__init__("Always()")

    def outcome(self, actor: Actor, obj: Model | None, model: type[Model] | None) -> bool:
        return True

    def rows(self, actor: Actor, model: type[Model]) -> Q:
        return every_row()

    def needs_object(self, model: type[Model] | None) -> bool:
        return False

    def may_hold(self, actor: Actor, model: type[Model] | None) -> bool:
        return True

    def text(self) -> StrOrPromise:
        return _("nothing")


class Never(Rule):
    """Holds for nobody."""

    def __init__(self) -> None:
        super().__init__("Never()")

    def outcome(self, actor: Actor, obj: Model | None, model: type[Model] | None) -> bool:
        return False

    def rows(self, actor: Actor, model: type[Model]) -> Q:
        return no_row()

    def needs_object(self, model: type[Model] | None) -> bool:
        return False

    def may_hold(self, actor: Actor, model: type[Model] | None) -> bool:
        return False

    def text(self) -> StrOrPromise:
        return _("something that nobody may do")


class SignedIn(Rule):
    """Holds for every authenticated actor, on every row."""

    def __init__(self) -> None:
        super().__init__("SignedIn()")

    def outcome(self, actor: Actor, obj: Model | None, model: type[Model] | None) -> bool:
        return actor.is_authenticated

    def rows(self, actor: Actor, model: type[Model]) -> Q:
        return every_row() if actor.is_authenticated else no_row()

    def needs_object(self, model: type[Model] | None) -> bool:
        return False

    def may_hold(self, actor: Actor, model: type[Model] | None) -> bool:
        return actor.is_authenticated

    def text(self) -> StrOrPromise:
        return _("to be signed in")


class Granted(Rule):
    """Holds where a permission was granted: everywhere, below a unit, or on that very object.

    A model names the way to its unit in ``unit_path``; without one only grants for the deployment
    and for single objects apply. For a permission that is about no model only grants for the
    deployment do.
    """

    def __init__(self, permission: str) -> None:
        if not isinstance(permission, str) or "." not in permission:
            raise ValueError(
                f"Granted() takes a permission name like 'slug.verb_model', not {permission!r}."
            )
        self.permission = permission
        super().__init__(f"Granted({permission!r})")

    def outcome(self, actor: Actor, obj: Model | None, model: type[Model] | None) -> bool:
        grant = actor.grants.get(self.permission)
        if grant.everywhere or obj is None or model is None:
            return grant.everywhere
        return obj.pk in grant.objects or _is_below(grant, obj, model)

    def rows(self, actor: Actor, model: type[Model]) -> Q:
        grant = actor.grants.get(self.permission)
        if grant.everywhere:
            return every_row()
        condition = no_row()
        if grant.objects and _has_uuid_key(model):
            condition = Q(pk__in=sorted(grant.objects))
        source = installed_grant_source()
        if source is not None and grant.units and _unit_path(model):
            condition = condition | _below(source, grant.units, model)
        return condition

    def needs_object(self, model: type[Model] | None) -> bool:
        return model is not None

    def may_hold(self, actor: Actor, model: type[Model] | None) -> bool:
        grant = actor.grants.get(self.permission)
        return grant.everywhere if model is None else grant.is_held

    def settled(self, actor: Actor, model: type[Model] | None) -> bool | None:
        # A kind of grant of a plugin's own may hold elsewhere.
        if type(self) is Granted and actor.grants.get(self.permission).everywhere:
            return True
        return super().settled(actor, model)

    def problems(self, model: type[Model] | None) -> Iterator[str]:
        if model is None or _unit_path(model) in ("", SELF):
            return
        try:
            if resolve_path(model, _unit_path(model)).target is None:
                yield f"unit_path {_unit_path(model)!r} of {model._meta.label} leads to no unit."
        except PathError as error:
            yield f"unit_path of {model._meta.label}: {error}"

    def text(self) -> StrOrPromise:
        return format_lazy(_("the permission “{permission}” here"), permission=self.permission)


def _unit_path(model: type[Model]) -> str:
    return str(getattr(model, "unit_path", ""))


def _has_uuid_key(model: type[Model]) -> bool:
    return isinstance(resolve_path(model, "pk").field, UUIDField)


def _below(source: GrantSource, units: frozenset[UUID], model: type[Model]) -> Q:
    unit_path = _unit_path(model)
    if unit_path == SELF:
        return source.within(units, "pk")
    condition = source.within(units, unit_path) & Q((f"{unit_path}__isnull", False))
    return _once_per_row(condition, model, resolve_path(model, unit_path))


def _is_below(grant: Grant, obj: Model, model: type[Model]) -> bool:
    source, unit_path = installed_grant_source(), _unit_path(model)
    if source is None or not grant.units or not unit_path:
        return False
    found = [obj] if unit_path == SELF else objects_at(obj, resolve_path(model, unit_path))
    return any(source.covers(grant.units, unit) for unit in found)


def _once_per_row(condition: Q, model: type[Model], path: Path) -> Q:
    """Return ``condition`` so that no to-many step repeats rows, whatever it is combined with."""
    if not path.to_many:
        return condition
    return Q(Exists(model._base_manager.filter(condition, pk=OuterRef("pk"))))


_COMPARISONS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "exact": operator.eq,
    "in": lambda found, wanted: found in wanted,
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
}
_ORDERINGS: Final = ("gt", "gte", "lt", "lte")


class Where(Rule):
    """Holds on rows where ``path`` reaches a value that compares; NULL compares with nothing.

    The value is a constant or ``actor``, which stands for the id of whoever asks: an actor without
    an id (anonymous, system) matches no row, ownerless ones included. ``lookup`` is one of ``exact
    in gt gte lt lte isnull``. A path over a to-many relation holds when any related row does;
    ``isnull`` then asks whether there is none.
    """

    def __init__(self, path: str, value: Any, lookup: str = "exact") -> None:
        _check_operand(value, lookup)
        self.path = path
        self.lookup = lookup
        self.value: Any = tuple(value) if lookup == "in" else value
        shown = f"{path!r}, {value!r}" + (f", {lookup!r}" if lookup != "exact" else "")
        super().__init__(f"Where({shown})")

    @property
    def names_actor(self) -> bool:
        """Tell whether the row is compared with whoever asks."""
        return isinstance(self.value, ActorReference)

    def outcome(self, actor: Actor, obj: Model | None, model: type[Model] | None) -> bool:
        if obj is None:
            raise ObjectRequired(f"{self} depends on the row: ask with an object.")
        path = resolve_path(model or type(obj), self.path)
        found = values_at(obj, path)
        if self.lookup == "isnull":
            return bool(found) is not self.value
        wanted = self._wanted(actor)
        if wanted is None:
            return False
        wanted = _as_stored(path.field, wanted)
        return any(_COMPARISONS[self.lookup](value, wanted) for value in found)

    def rows(self, actor: Actor, model: type[Model]) -> Q:
        path = resolve_path(model, self.path)
        present = Q((f"{self.path}__isnull", False))
        if self.lookup == "isnull":
            present = _once_per_row(present, model, path)
            return ~present if self.value else present
        wanted = self._wanted(actor)
        if wanted is None:
            return no_row()
        return _once_per_row(Q((f"{self.path}__{self.lookup}", wanted)) & present, model, path)

    def needs_object(self, model: type[Model] | None) -> bool:
        return True

    def may_hold(self, actor: Actor, model: type[Model] | None) -> bool:
        return self._wanted(actor) is not None

    def problems(self, model: type[Model] | None) -> Iterator[str]:
        if model is None:
            yield f"{self} is about a row, but the permission names no model."
            return
        try:
            field = resolve_path(model, self.path).field
        except PathError as error:
            yield f"{self}: {error}"
            return
        if self.names_actor and not isinstance(field, UUIDField):
            yield f"{self}: the column holds no UUID, so never an actor's id."
        elif not self.names_actor and self.lookup != "isnull":
            try:
                _as_stored(field, self.value)
            except ValidationError as error:
                yield f"{self}: {' '.join(error.messages)}"

    def text(self) -> StrOrPromise:
        if self.names_actor:
            return format_lazy(_("to be the “{field}” of the object"), field=self.path)
        return format_lazy(
            _("an object whose “{field}” is right ({lookup} {value})"),
            field=self.path,
            lookup=self.lookup,
            value=str(self.value),
        )

    def _wanted(self, actor: Actor) -> Any:
        return actor.id if self.names_actor else self.value


def _as_stored(field: Field[Any, Any], wanted: Any) -> Any:
    if isinstance(wanted, tuple):
        return tuple(field.to_python(value) for value in wanted)
    return field.to_python(wanted)


def _check_operand(value: object, lookup: str) -> None:
    if lookup not in _COMPARISONS and lookup != "isnull":
        raise ValueError(f"Where() knows {', '.join(_COMPARISONS)} and isnull, not {lookup!r}.")
    if isinstance(value, ActorReference) and lookup != "exact":
        raise TypeError("Where() compares the actor by exact only.")
    if lookup == "isnull" and not isinstance(value, bool):
        raise TypeError("Where(…, lookup='isnull') takes True or False.")
    if lookup == "in" and not isinstance(value, list | tuple | set | frozenset):
        raise TypeError("Where(…, lookup='in') takes a collection of constants.")
    values = list(value) if isinstance(value, list | tuple | set | frozenset) else [value]
    if None in values:
        raise TypeError("Where() does not compare with None: use lookup='isnull'.")
    if any(not _is_constant(one) for one in values):
        raise TypeError("Where() compares with constants: no rows (give the id), no expressions.")
    if lookup in _ORDERINGS and isinstance(value, str):
        raise TypeError("Where() does not order text: databases and Python sort it differently.")


def _is_constant(value: object) -> bool:
    return not (isinstance(value, Model) or callable(value) or hasattr(value, "resolve_expression"))
