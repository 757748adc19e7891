"""What an actor was granted, and the contract of the plugin that knows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable
from uuid import UUID

if TYPE_CHECKING:
    from django.db.models import Model, Q

    from platform_core.access.actors import Actor
    from platform_core.contributions import Permission, Role

_NO_IDS: frozenset[UUID] = frozenset()


@dataclass(frozen=True, slots=True)
class Grant:
    """Where one permission was granted: in the whole deployment, below units, on single objects."""

    everywhere: bool = False
    units: frozenset[UUID] = _NO_IDS
    objects: frozenset[UUID] = _NO_IDS

    @property
    def is_held(self) -> bool:
        """Tell whether the permission was granted in any scope."""
        return self.everywhere or bool(self.units) or bool(self.objects)


_NOTHING = Grant()


class Grants:
    """Everything that one actor was granted, by permission name; immutable."""

    __slots__ = ("_by_permission",)

    def __init__(self, by_permission: Mapping[str, Grant]) -> None:
        held = {name: grant for name, grant in by_permission.items() if grant.is_held}
        self._by_permission = MappingProxyType(held)

    @classmethod
    def none(cls) -> Grants:
        """Return grants that hold nothing."""
        return cls({})

    @property
    def permissions(self) -> frozenset[str]:
        """Return the names of all permissions held in any scope."""
        return frozenset(self._by_permission)

    def get(self, permission: str) -> Grant:
        """Return where ``permission`` was granted; an empty grant when it was not."""
        return self._by_permission.get(permission, _NOTHING)

    def holds(self, permission: str) -> bool:
        """Tell whether ``permission`` was granted in any scope."""
        return permission in self._by_permission


class GrantSource(Protocol):
    """What the one plugin that stores roles and assignments implements.

    It may also have ``permissions_by_role() -> Mapping[str, Collection[str]]``: by the name of each stored role the
    permissions that it names, those that nobody defines any more too. Plans and the doctor ask for it. And it may have
    ``may_act(actor) -> bool``: whether work that somebody asked for earlier may still be done as that actor.
    """

    unit_model: str
    """``app_label.ModelName`` of the tree of organisational units."""

    def grants(self, actor: Actor) -> Grants:
        """Return what ``actor`` holds now, in one query that judges start and end too."""

    def within(self, units: frozenset[UUID], prefix: str) -> Q:
        """Return the condition that the unit at ``prefix`` is one of ``units`` or below.

        ``prefix`` is a lookup path such as ``school__unit``, or ``pk`` on the unit model itself, so
        only key lookups (``__in``) may follow it. The condition never joins a to-many relation, and
        leaves it to the database to find what is below ``units``: its SQL is reused for other units.
        """

    def covers(self, units: frozenset[UUID], unit: Model) -> bool:
        """Tell whether ``unit`` is one of ``units`` or below: ``within`` in Python."""

    def synchronise(self, permissions: Sequence[Permission], roles: Sequence[Role]) -> None:
        """Store the permissions and default roles of enabled plugins, after each migrate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingReference:
    """Rows of an archive that need others which are gone: where, what is gone, how many, and the first keys."""

    place: str
    target: str
    count: int
    keys: tuple[str, ...]


@runtime_checkable
class PortableGrants(Protocol):
    """What a grant source may offer beside ``GrantSource``, so that a plugin's grants leave and return with it.

    A plugin's grants are the roles that it ships with their assignments, assignments for objects of its models, and
    its permissions in other roles. Each method runs inside the caller's transaction.
    """

    def export_grants(self, slug: str) -> Mapping[str, Sequence[Any]]:
        """Return the grants of ``slug`` as lists by kind; JSON with text for dates and ids holds them."""

    def remove_grants(self, slug: str) -> None:
        """Remove what ``export_grants`` returns."""

    def missing_grants(
        self, slug: str, exported: Mapping[str, Sequence[Any]]
    ) -> Sequence[MissingReference]:
        """Return what the ``exported`` grants need and is gone; nothing is changed."""

    def import_grants(self, slug: str, exported: Mapping[str, Sequence[Any]]) -> None:
        """Put back the ``exported`` grants, without those that need what is gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """How somebody is written to: an e-mail address, and the language that they chose, if any."""

    address: str = field(repr=False)
    language: str = ""


@runtime_checkable
class Contacts(Protocol):
    """What a grant source may offer beside ``GrantSource``, so that the platform can write to whoever has to know."""

    def contact_of(self, actor: Actor) -> Contact | None:
        """Return how ``actor`` is written to; ``None`` for one who is gone, shut out, or no person."""

    def contacts_with(self, permission: str, most: int) -> Sequence[Contact]:
        """Return how those are written to who hold ``permission`` in the whole deployment, ``most`` of them at most."""


_source: GrantSource | None = None


def installed_grant_source() -> GrantSource | None:
    """Return the grant source of this process, or ``None`` when no plugin brings one."""
    return _source


def set_grant_source(source: GrantSource | None) -> None:
    """Replace the grant source of this process; ``install_permissions`` does it."""
    global _source
    _source = source
