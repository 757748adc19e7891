"""The frozen registry: every contribution with its owner and where it is written."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from platform_core.api_versions import api_prefix
from platform_core.registry.item_facts import facts_of
from platform_core.registry.resolution import Plugin

if TYPE_CHECKING:
    from platform_core.registry.publishing import PublishedHook


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One contribution: what, by which plugin, through which hook, and ``file:line`` of the implementation."""

    owner: str
    hook: str
    item: Any
    place: str

    @property
    def key(self) -> str:
        """The name that has to be unique among contributions of one hook."""
        return contribution_name(self.owner, self.hook, self.item)


def contribution_name(owner: str, hook: str, item: Any) -> str:
    """Return the name by which a contribution of ``hook`` is known in the deployment."""
    if hook == "resources":
        from platform_core.resource.declared import name_of  # needs loaded models

        return f"/{api_prefix(owner, item.api_version)}{name_of(item)}/"
    if hook == "routes":
        return f"/{api_prefix(owner)}{item.path}"
    if hook == "grant_source":
        return "grant_source"
    if hook == "tasks":
        return f"{owner}.{item.name}"
    return str(item.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Registry:
    """Plugins in load order, their contributions by hook, and the hooks they publish; nothing changes after boot."""

    plugins: tuple[Plugin, ...]
    entries: Mapping[str, tuple[Entry, ...]]
    published: Mapping[str, PublishedHook] = field(default_factory=dict)
    _digests: dict[str, str] = field(default_factory=dict, init=False, repr=False, compare=False)

    def contributions(self, hook: str) -> Sequence[Any]:
        """Return what all plugins contributed through ``hook``, in load order."""
        return [entry.item for entry in self.entries.get(hook, ())]

    def of_plugin(self, slug: str, hook: str) -> Sequence[Any]:
        """Return what one plugin contributed through ``hook``."""
        return [entry.item for entry in self.entries.get(hook, ()) if entry.owner == slug]

    def owner_of(self, hook: str, name: str) -> str | None:
        """Return the slug of the plugin that contributed ``name`` through ``hook``."""
        for entry in self.entries.get(hook, ()):
            if entry.key == name:
                return entry.owner
        return None

    def digest(self) -> str:
        """Return a SHA-256 over plugins, versions, states and contributions: equal on equal processes."""
        return _hash([[plugin.slug, self.digest_of(plugin)] for plugin in self.plugins])

    def digest_of(self, plugin: Plugin) -> str:
        """Return a SHA-256 over version, state and contributions of one plugin; all are computed at once, and once."""
        if not self._digests:
            facts: dict[str, dict[str, dict[str, Any]]] = {one.slug: {} for one in self.plugins}
            for hook, entries in self.entries.items():
                for entry in entries:
                    own = facts[entry.owner].setdefault(hook, {})
                    own[entry.key] = facts_of(entry.item)
            for one in self.plugins:
                known = [one.slug, one.candidate.version, one.state, facts[one.slug]]
                self._digests[one.slug] = _hash(known)
        return self._digests[plugin.slug]


def _hash(facts: Any) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


_installed: Registry | None = None


def install(registry: Registry) -> None:
    """Publish the registry of this process; called once, by the core's app configuration."""
    global _installed
    _installed = registry


def installed() -> Registry:
    """Return the registry of this process; RuntimeError before Django is set up."""
    if _installed is None:
        raise RuntimeError("The plugin registry is not loaded yet: call django.setup() first.")
    return _installed


def contributed(hook: str) -> tuple[Any, ...]:
    """Return what the enabled plugins contributed through a published hook, ``<slug>.<hook>``, in load order.

    Raises LookupError when no enabled plugin publishes it.
    """
    registry = installed()
    if hook not in registry.published:
        raise LookupError(f"No enabled plugin publishes the hook {hook}.")
    return tuple(registry.contributions(hook))
