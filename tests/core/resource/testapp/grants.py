"""Grants in memory, permissions of the library, and an authentication that believes a header."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib.auth.models import AnonymousUser
from django.db.models import Model, Q
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed

from platform_core.access import (
    Actor,
    Grant,
    Granted,
    Grants,
    PermissionRegistry,
    SignedIn,
    Where,
    model_permissions,
)
from platform_core.contributions import Permission, Role

HEADER = "HTTP_X_TEST_ACTOR"
VERBS = ("view", "add", "change", "delete", "restore", "export", "import")
SUBTITLE = ("resource_testapp.view_subtitle", "resource_testapp.change_subtitle")
FREE = "resource_testapp.view_free_book"
MEMBER_FIELDS = tuple(
    f"resource_testapp.{verb}_{field}"
    for field in ("birth_date", "card", "favourite", "note", "fees")
    for verb in ("view", "change")
)


class MemoryGrantSource:
    """Answers from what tests granted; the branches are a flat list."""

    unit_model = "resource_testapp.Branch"

    def __init__(self) -> None:
        self.held: dict[UUID, dict[str, Grant]] = {}

    def grant(
        self,
        actor_id: UUID,
        *permissions: str,
        units: Sequence[UUID] | None = None,
        objects: Sequence[UUID] | None = None,
    ) -> None:
        """Grant ``permissions`` (without the slug) everywhere, or in ``units`` or on ``objects`` only."""
        everywhere = units is None and objects is None
        grant = Grant(everywhere, frozenset(units or ()), frozenset(objects or ()))
        for name in permissions:
            self.held.setdefault(actor_id, {})[f"resource_testapp.{name}"] = grant

    def grants(self, actor: Actor) -> Grants:
        return Grants(self.held.get(actor.id, {}) if actor.id else {})

    def within(self, units: frozenset[UUID], prefix: str) -> Q:
        return Q((f"{prefix}__in", sorted(units)))

    def covers(self, units: frozenset[UUID], unit: Model) -> bool:
        return unit.pk in units

    def synchronise(self, permissions: Sequence[Permission], roles: Sequence[Role]) -> None:
        """Store nothing."""


@dataclass(frozen=True)
class Credentials:
    """What authentication found."""

    actor: Actor


class HeaderAuthentication(BaseAuthentication):
    """Believes the id in a header."""

    def authenticate(self, request: Any) -> tuple[AnonymousUser, Credentials] | None:
        text = request.META.get(HEADER)
        if text is None:
            return None
        if text == "bad":
            raise AuthenticationFailed
        return AnonymousUser(), Credentials(Actor(UUID(text), "user"))


def registry(source: MemoryGrantSource) -> PermissionRegistry:
    """Return the permissions of the library over ``source``."""
    permissions = [
        one
        for model in ("Branch", "Shelf", "Book", "Member", "Visit", "Sample")
        for one in model_permissions(f"resource_testapp.{model}", VERBS)
        if one.name != "resource_testapp.change_shelf"
    ]
    name = "resource_testapp.change_shelf"
    report = "resource_testapp.read_report"
    permissions += [
        # A shelf that is being closed cannot be changed, nor be made one.
        Permission(
            name=name,
            title="Change shelf",
            model="resource_testapp.Shelf",
            rule=Granted(name) & ~Where("name", "closed"),
        ),
        Permission(name=report, title="Read the report", rule=Granted(report)),
        # Some books may be seen by whoever is signed in.
        Permission(
            name=FREE,
            title="View free book",
            model="resource_testapp.Book",
            rule=Granted(FREE) | (SignedIn() & Where("subtitle", "free")),
        ),
        *(
            Permission(name=one, title=one, model="resource_testapp.Book", rule=Granted(one))
            for one in SUBTITLE
        ),
        *(
            Permission(name=one, title=one, model="resource_testapp.Member", rule=Granted(one))
            for one in MEMBER_FIELDS
        ),
    ]
    return PermissionRegistry(permissions, source)
