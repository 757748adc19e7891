"""Actors, their grants and their requests for tests, without users, roles and tokens of any plugin."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from django.db.models import Model, Q
from rest_framework.test import APIClient

from platform_core.access import (
    Actor,
    Grant,
    Grants,
    PermissionRegistry,
    installed_permissions,
    using_permissions,
)

if TYPE_CHECKING:
    from platform_core.access import GrantSource
    from platform_core.contributions import Permission, Role


class GrantsDouble:
    """A grant source in memory; the tree of units stays that of the deployment's own source, if it has one."""

    def __init__(self, tree: GrantSource | None = None) -> None:
        self.unit_model = tree.unit_model if tree is not None else ""
        self._tree = tree
        self._held: dict[UUID, dict[str, Grant]] = {}

    def give(
        self,
        actor: Actor,
        *permissions: str,
        units: Iterable[Model] | None = None,
        objects: Iterable[Model] | None = None,
    ) -> None:
        """Grant ``permissions`` to ``actor``: within ``units`` and below, on ``objects``, or else everywhere."""
        if actor.id is None:
            raise TypeError(f"An actor of kind {actor.kind!r} holds no grants.")
        grant = Grant(
            everywhere=units is None and objects is None,
            units=frozenset(unit.pk for unit in units or ()),
            objects=frozenset(row.pk for row in objects or ()),
        )
        held = self._held.setdefault(actor.id, {})
        for permission in permissions:
            held[permission] = _union(held.get(permission, Grant()), grant)

    def take(self, actor: Actor, *permissions: str) -> None:
        """Withdraw ``permissions`` from ``actor`` wherever they hold them."""
        held = self._held.get(actor.id, {}) if actor.id is not None else {}
        for permission in permissions:
            held.pop(permission, None)

    def grants(self, actor: Actor) -> Grants:
        """Return what was given to ``actor``; asks no database."""
        return Grants(self._held.get(actor.id, {})) if actor.id is not None else Grants.none()

    def within(self, units: frozenset[UUID], prefix: str) -> Q:
        """Return the deployment's own condition, or one that no row fulfils."""
        return Q(pk__in=()) if self._tree is None else self._tree.within(units, prefix)

    def covers(self, units: frozenset[UUID], unit: Model) -> bool:
        """Ask the deployment's own source."""
        return self._tree is not None and self._tree.covers(units, unit)

    def synchronise(self, permissions: Sequence[Permission], roles: Sequence[Role]) -> None:
        """Store nothing: tests give their grants themselves."""


def _union(first: Grant, second: Grant) -> Grant:
    return Grant(
        everywhere=first.everywhere or second.everywhere,
        units=first.units | second.units,
        objects=first.objects | second.objects,
    )


@contextmanager
def granting(permissions: Iterable[Permission] = ()) -> Iterator[GrantsDouble]:
    """Replace the deployment's grants by a double inside the block; ``permissions`` join or replace the installed."""
    installed = installed_permissions()
    known = {one.name: one for one in (*installed, *permissions)}
    double = GrantsDouble(installed.grant_source)
    with using_permissions(PermissionRegistry(list(known.values()), double)):
        yield double


def new_user() -> Actor:
    """Return an actor of kind ``user`` that nobody knows yet."""
    return Actor(uuid4(), "user")


class _User:
    """As much of a user as middleware and feature flags ask for."""

    is_authenticated = is_active = True
    is_anonymous = is_staff = is_superuser = False

    def __init__(self, actor: Actor) -> None:
        self.pk = self.id = actor.id


class _Authentication:
    """What an authentication class would return beside the user; every request has an actor of its own."""

    def __init__(self, actor: Actor) -> None:
        self._actor = actor

    @property
    def actor(self) -> Actor:
        return Actor(self._actor.id, self._actor.kind, self._actor.label)


def client_for(actor: Actor | None) -> APIClient:
    """Return a JSON client whose requests are ``actor``'s; nobody's when it is None or anonymous."""
    client: Any = APIClient(raise_request_exception=True)
    if actor is not None and actor.is_authenticated:
        user, token = credentials_of(actor)
        client.force_authenticate(user=user, token=token)
    return client  # type: ignore[no-any-return]


def credentials_of(actor: Actor) -> tuple[Any, Any]:
    """Return what REST framework's ``force_authenticate`` takes to make a request ``actor``'s: user and token."""
    return _User(actor), _Authentication(actor)
