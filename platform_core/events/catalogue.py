"""The events and subscriptions of this process by name, and the subscriptions of plugins that sleep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from platform_core.registry import installed
from platform_core.registry.contents import Registry

if TYPE_CHECKING:
    from platform_core.contributions import Subscription
    from platform_core.events.declaring import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnedSubscription:
    """A subscription and the slug of its owner."""

    name: str
    owner: str
    subscription: Subscription


@dataclass(frozen=True, slots=True)
class Subscribers:
    """The names of those who get an event, and their owners, in the same order."""

    names: list[str]
    owners: list[str]


class _Catalogue:
    def __init__(self, registry: Registry) -> None:
        self.events: dict[str, type[Event]] = {
            entry.key: entry.item for entry in registry.entries["events"]
        }
        self.owners = {entry.key: entry.owner for entry in registry.entries["events"]}
        self.subscriptions = {
            entry.key: OwnedSubscription(name=entry.key, owner=entry.owner, subscription=entry.item)
            for entry in registry.entries["subscriptions"]
        }
        self.enabled = [plugin.slug for plugin in registry.plugins if plugin.enabled]
        self.subscribers: dict[str, Subscribers] | None = None


_latest: list[tuple[Registry, _Catalogue]] = []
"""The catalogue of the registry that was asked last; a process has one, tests several."""


def _catalogue() -> _Catalogue:
    registry = installed()
    if not _latest or _latest[0][0] is not registry:
        _latest[:] = [(registry, _Catalogue(registry))]
    return _latest[0][1]


def all_events() -> Mapping[str, type[Event]]:
    """Return the events of enabled plugins by name."""
    return _catalogue().events


def owner_of_event(name: str) -> str:
    """Return the slug of the enabled plugin that declares an event."""
    return _catalogue().owners[name]


def all_subscriptions() -> Mapping[str, OwnedSubscription]:
    """Return the subscriptions of enabled plugins by name."""
    return _catalogue().subscriptions


def deliverable(owners: Sequence[str] | None = None) -> list[str]:
    """Return the subscriptions, of ``owners`` or of all, whose event is known here and can be read."""
    found = _catalogue()
    return [
        one.name
        for one in found.subscriptions.values()
        if one.subscription.event in found.events and (owners is None or one.owner in owners)
    ]


def subscribers_of(name: str) -> Subscribers:
    """Return who gets an event: subscriptions of enabled plugins, and those that the ledger keeps of the others.

    What the latter subscribed to when they were last enabled is read once in a process: it cannot change without a
    restart.
    """
    found = _catalogue()
    known = found.subscribers
    if known is None:
        # Assigned when it is whole: another thread that saw a part would leave somebody out.
        known = found.subscribers = _by_event(found)
    return known.get(name, _NOBODY)


def _by_event(found: _Catalogue) -> dict[str, Subscribers]:
    known: dict[str, Subscribers] = {}
    awake = [(one.subscription.event, one.name, one.owner) for one in found.subscriptions.values()]
    for event, subscription, owner in [*awake, *_sleeping(found.enabled)]:
        own = known.setdefault(event, Subscribers([], []))
        own.names.append(subscription)
        own.owners.append(owner)
    return known


_NOBODY = Subscribers([], [])


def _sleeping(enabled: Sequence[str]) -> list[tuple[str, str, str]]:
    from platform_core.models import PluginContribution  # needs loaded models

    rows = PluginContribution.objects.filter(kind="subscriptions").exclude(plugin__in=enabled)
    return [(one.facts.get("event", ""), one.name, one.plugin_id) for one in rows]
