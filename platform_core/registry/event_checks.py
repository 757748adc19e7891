"""Judge events and subscriptions: declarations that are plain and documented, and references that lead somewhere."""

from __future__ import annotations

from collections.abc import Iterator

from platform_core.events.declaring import faults_of
from platform_core.registry.contents import Entry, Registry

MOST_NAME = 200
Fault = tuple[Entry, str, str, str]
"""The contribution, a code, what is wrong, and the way out."""


def event_faults(registry: Registry) -> Iterator[Fault]:
    """Yield what is wrong with the events that plugins declare."""
    for entry in registry.entries["events"]:
        for fault in faults_of(entry.item):
            yield (
                entry,
                "event_invalid",
                f'The event "{entry.key}" {fault}.',
                "Correct the class; platform_core.events.Event says what it needs.",
            )


def subscription_faults(registry: Registry) -> Iterator[Fault]:
    """Yield the subscriptions to events that an enabled plugin does not have; those of absent plugins may come later."""
    events = {entry.key for entry in registry.entries["events"]}
    enabled = {plugin.slug for plugin in registry.plugins if plugin.enabled}
    for entry in registry.entries["subscriptions"]:
        name = entry.item.event
        if name.partition(".")[0] in enabled and name not in events:
            yield (
                entry,
                "unknown_reference",
                f'The subscription "{entry.key}" is for the event "{name}", which its plugin does not declare.',
                "Correct the name; the plugin's events.py has it as a constant.",
            )
        if len(entry.key) > MOST_NAME:
            yield (
                entry,
                "subscription_name",
                f'The name of the subscription "{entry.key}" is longer than {MOST_NAME} characters.',
                "Give it a shorter name.",
            )
