"""Judge the names of what was contributed: whose they are by their prefix, and two owners of one."""

from __future__ import annotations

from collections.abc import Iterator

from platform_core.registry.command_names import CORE_COMMANDS
from platform_core.registry.contents import Entry, Registry
from platform_core.registry.event_checks import Fault

PREFIXED_HOOKS = ("permissions", "roles", "flags", "schedules", "events", "subscriptions", "mails")


def duplicate_names(registry: Registry) -> Iterator[Fault]:
    """Yield what is contributed under a name that is taken."""
    for entries in registry.entries.values():
        first: dict[str, Entry] = {}
        for entry in entries:
            other = first.setdefault(entry.key, entry)
            if other is not entry:
                yield (
                    entry,
                    "conflict",
                    f'"{entry.key}" is contributed twice: by {other.owner} ({other.place}) too.',
                    "Rename one of the two, or enable only one of the plugins.",
                )


def route_overlaps(registry: Registry) -> Iterator[Fault]:
    """Yield the routes below a resource's own path: they would be shadowed, or would shadow it."""
    resources = {entry.key: entry for entry in registry.entries["resources"]}
    for route in registry.entries["routes"]:
        for path, resource in resources.items():
            if route.key.startswith(path) or path.startswith(route.key):
                yield (
                    route,
                    "conflict",
                    (
                        f'The route "{route.key}" overlaps the resource "{path}" of {resource.owner} '
                        f"({resource.place})."
                    ),
                    "Give the route a path of its own.",
                )


def prefixes(registry: Registry) -> Iterator[Fault]:
    """Yield the names that do not begin with the slug of their plugin."""
    for hook in (*PREFIXED_HOOKS, *registry.published):
        for entry in registry.entries[hook]:
            if not entry.key.startswith(f"{entry.owner}."):
                yield (
                    entry,
                    "prefix",
                    f'"{entry.key}" does not start with "{entry.owner}.".',
                    f'Call it "{entry.owner}.{entry.key.rpartition(".")[2]}".',
                )
    for entry in registry.entries["importers"]:
        if entry.key != entry.owner and not entry.key.startswith(f"{entry.owner}."):
            yield (
                entry,
                "prefix",
                f'The importer "{entry.key}" is neither "{entry.owner}" nor starts with it.',
                f'Call it "{entry.owner}" or "{entry.owner}.<format>".',
            )


def commands(registry: Registry) -> Iterator[Fault]:
    """Yield the commands that are called like the core's, or by more than two words."""
    for entry in registry.entries["commands"]:
        words = entry.key.split(" ")
        if words[0] in CORE_COMMANDS or len(words) > 2 or not all(words):
            yield (
                entry,
                "command_name",
                f'The command "{entry.key}" is one of the core or is not one or two words.',
                f'Start it with a word of its own, such as "{entry.owner}".',
            )
