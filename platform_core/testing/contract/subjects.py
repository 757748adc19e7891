"""What the suite judges: plugins and resources of the frozen registry, and the personas that ask."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db import transaction
from waffle.testutils import override_flag

from platform_core.access import (
    ANONYMOUS,
    Actor,
    Rule,
    installed_permissions,
)
from platform_core.api_versions import api_prefix, in_names
from platform_core.registry import installed
from platform_core.resource.base import COLLECTION_ACTIONS, PERMISSION_ACTIONS
from platform_core.resource.declared import name_of
from platform_core.resource.operations import operations_of
from platform_core.testing.actors import GrantsDouble, client_for, granting, new_user

if TYPE_CHECKING:
    from django.db.models import Model

    from platform_core.registry.resolution import Plugin
    from platform_core.resource import Resource

PERSONAS = ("anonymous", "nobody", "viewer", "holder")
"""Not signed in; without any role; who may view this resource only; who holds every permission."""

_METHODS = {
    "list": ("get", ""),
    "create": ("post", ""),
    "retrieve": ("get", ""),
    "update": ("put", ""),
    "partial_update": ("patch", ""),
    "restore": ("post", "restore/"),
    "history": ("get", "history/"),
    "destroy": ("delete", ""),
}
ADMITTED = frozenset({200, 201, 202, 204, 409, 412, 422})
"""Answers to somebody who may ask: done, or refused for what was asked and not for who asked."""


@dataclass(frozen=True, slots=True)
class Action:
    """One thing that a resource does, and the request that asks for it."""

    name: str
    method: str
    suffix: str
    permission: str

    @property
    def is_of_collection(self) -> bool:
        """Whether it is about no row yet."""
        return self.name in COLLECTION_ACTIONS

    @property
    def reads(self) -> bool:
        """Whether it changes nothing."""
        return self.method == "get"


@dataclass(frozen=True, slots=True)
class ResourceSubject:
    """A resource as one plugin mounts it."""

    slug: str
    resource: type[Resource]

    def __str__(self) -> str:
        version = in_names(self.resource.api_version)
        return "/".join(filter(None, (self.slug, version, name_of(self.resource))))

    @property
    def model(self) -> type[Any]:
        """The model that is served."""
        return self.resource.model

    @property
    def url(self) -> str:
        """The collection's address."""
        return f"/{self.prefix}{name_of(self.resource)}/"

    @property
    def prefix(self) -> str:
        """What its addresses begin with, without a leading slash."""
        return api_prefix(self.slug, self.resource.api_version)

    def actions(self) -> list[Action]:
        """Return what the resource exposes; what deletes comes last."""
        policy = self.resource.policy
        found = [
            Action(name, *_METHODS[name], policy.permission(PERMISSION_ACTIONS[name]))
            for name in _METHODS
            if name in self.resource.actions
        ]
        found += [
            Action(verb, "post", f"{one.path}/", policy.permission(verb))
            for verb, one in operations_of(self.resource).items()
        ]
        return found

    def action(self, name: str) -> Action | None:
        """Return one exposed action, or ``None``."""
        return next((one for one in self.actions() if one.name == name), None)

    def rule(self, permission: str) -> Rule:
        """Return the rule of a permission; AssertionError when no enabled plugin defines it."""
        found = installed_permissions().get(permission)
        if found is None:
            raise AssertionError(f"{self} asks for {permission}, which no enabled plugin defines.")
        return found.rule

    def expected(self, actor: Actor, action: Action, row: Model | None) -> frozenset[int]:
        """Return the statuses that the declared rules allow as an answer to ``actor``."""
        actor = Actor(actor.id, actor.kind, actor.label)
        rule = self.rule(action.permission)
        refused = frozenset({403 if actor.is_authenticated else 401})
        admitted = frozenset({200}) if action.reads else ADMITTED
        if not rule.may_hold(actor, self.model):
            if action.is_of_collection or not actor.is_authenticated:
                return refused
        elif action.is_of_collection:
            # A new row may be one that a conditional rule does not allow.
            return admitted if action.reads else admitted | refused
        if row is None:
            return admitted
        view = self.rule(self.resource.policy.permission("view"))
        if not view.test(actor, row, model=self.model):
            return frozenset({404})
        return admitted if rule.test(actor, row, model=self.model) else refused

    def ask(
        self,
        actor: Actor,
        action: Action,
        row: Any,
        body: Mapping[str, Any] | None,
        *,
        query: str = "",
    ) -> Any:
        """Send the request of ``action`` as ``actor`` and return the response."""
        part = ("" if action.is_of_collection else f"{row.pk}/{action.suffix}") + query
        send = getattr(client_for(actor), action.method)
        if action.reads:
            return send(f"{self.url}{part}")
        return send(f"{self.url}{part}", body or {}, headers=self._match(action, row))

    def _match(self, action: Action, row: Any) -> dict[str, str]:
        """Return the header by which a client says that it has seen the row as it is, where that is asked for."""
        if action.is_of_collection or not self.resource.requires_match:
            return {}
        versions = type(row)._base_manager.filter(pk=row.pk).values_list("version", flat=True)
        return {"If-Match": f'"{versions.first()}"'}


@dataclass(frozen=True, slots=True)
class PluginSubject:
    """An enabled plugin with what it contributes."""

    plugin: Plugin

    @property
    def slug(self) -> str:
        """The plugin's slug, which is its app label too."""
        return self.plugin.slug

    @property
    def resources(self) -> list[ResourceSubject]:
        """Its resources, mounted."""
        found = installed().of_plugin(self.slug, "resources")
        return [ResourceSubject(self.slug, one) for one in found]

    def module(self, name: str) -> Any:
        """Return the module ``name`` of the plugin's package, or None when it has none."""
        full = f"{self.plugin.config.name}.{name}"
        return importlib.import_module(full) if importlib.util.find_spec(full) else None


def plugins_judged(slugs: Sequence[str]) -> list[PluginSubject]:
    """Return the enabled plugins, or those of them that ``slugs`` names.

    Raises ValueError when one that is named is not enabled: nothing would be judged in its name.
    """
    enabled = [PluginSubject(one) for one in installed().plugins if one.enabled]
    missing = set(slugs) - {one.slug for one in enabled}
    if missing:
        raise ValueError(f"platform_contract names {', '.join(sorted(missing))}, not enabled here.")
    return [one for one in enabled if not slugs or one.slug in slugs]


def resources_judged(slugs: Sequence[str]) -> list[ResourceSubject]:
    """Return the resources of ``plugins_judged``."""
    return [resource for plugin in plugins_judged(slugs) for resource in plugin.resources]


@contextmanager
def stage() -> Iterator[GrantsDouble]:
    """Give nobody anything and switch every declared feature flag on, inside the block."""
    with ExitStack() as stack:
        for flag in installed().contributions("flags"):
            stack.enter_context(override_flag(flag.name, active=True))
        yield stack.enter_context(granting())


def persona(name: str, grants: GrantsDouble, subject: ResourceSubject) -> Actor:
    """Return a new actor who is the persona ``name`` towards ``subject``."""
    if name == "anonymous":
        return ANONYMOUS
    actor = new_user()
    if name == "viewer":
        grants.give(actor, subject.resource.policy.permission("view"))
    if name == "holder":
        grants.give(actor, *all_permissions())
    return actor


def all_permissions() -> list[str]:
    """Return the names of every permission of the deployment."""
    return [one.name for one in installed_permissions()]


@contextmanager
def undone() -> Iterator[None]:
    """Undo at its end whatever the block writes."""
    block: Any = transaction.atomic()
    # As the block around a test: a refused request must not forbid the queries that look what it has done.
    block._from_testcase = True
    with block:
        yield
        transaction.set_rollback(True)
