"""Everything that each plugin brings, with where it is written: what the ledger keeps and releases are compared by."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from django.apps import AppConfig, apps
from django.db import connection
from django.db.migrations.operations import RenameField
from django.utils.translation import override

from platform_core.registry.addresses import addresses
from platform_core.registry.code_migrations import code_migrations
from platform_core.registry.contents import Entry, Registry
from platform_core.registry.item_facts import dotted, facts_of
from platform_core.registry.resolution import Plugin
from platform_core.registry.settings_report import describe_settings
from platform_core.registry.sources import place_of, place_of_module

STANDING_KINDS = frozenset({"tables", "migrations"})
"""What a dormant plugin still brings; all else is known only of an enabled one."""
CONFIGURED = ("middleware", "django_apps", "authentication_backends", "api_authentication")


@dataclass(frozen=True, slots=True, kw_only=True)
class Contribution:
    """One thing that a plugin brings; ``kind`` is a hook, or what the core finds by itself."""

    kind: str
    name: str
    place: str
    facts: dict[str, Any]

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain JSON data."""
        return asdict(self)


def contents(registry: Registry) -> dict[str, list[Contribution]]:
    """Return by slug what each loaded plugin brings; of a dormant one its tables and migrations only.

    Routes are read from the URL configuration, which is loaded by this.
    """
    found: dict[str, list[Contribution]] = {plugin.slug: [] for plugin in registry.plugins}
    with override("en"):
        for slug, one in _everything(registry):
            found[slug].append(one)
    # Of one name once: a middleware may be asked for twice.
    return {
        slug: list({(one.kind, one.name): one for one in own}.values())
        for slug, own in found.items()
    }


def _everything(registry: Registry) -> Iterator[tuple[str, Contribution]]:
    owners: dict[str, str] = {}
    for plugin in registry.plugins:
        for config in owned_apps(registry, plugin):
            owners[config.label] = plugin.slug
            for model in config.get_models(include_auto_created=True):
                if model._meta.managed and not model._meta.proxy:
                    yield plugin.slug, _table(model)
        if plugin.enabled:
            yield from ((plugin.slug, one) for one in _settings(plugin))
            yield from ((plugin.slug, one) for one in _configured(plugin))
    for (label, name), migration in sorted(code_migrations().disk_migrations.items()):
        if label in owners:
            yield owners[label], _migration(label, name, migration)
    for hook, entries in registry.entries.items():
        for entry in entries:
            yield entry.owner, _entry(hook, entry)
    yield from _addresses(registry)


def owned_apps(registry: Registry, plugin: Plugin) -> list[AppConfig]:
    """Return the plugin's own application and those that it is the first to bring along."""
    earlier: set[str] = set()
    for other in registry.plugins:
        if other.slug == plugin.slug:
            break
        earlier |= set(other.config.django_apps)
    wanted = set(plugin.config.django_apps) - earlier
    return [
        config
        for config in apps.get_app_configs()
        if config.label == plugin.slug or config.name in wanted or dotted(type(config)) in wanted
    ]


def _table(model: Any) -> Contribution:
    tracked = getattr(model, "instance_type", None)
    written = tracked or (model._meta.auto_created or model)
    columns = {
        field.column: {
            "field": field.name,
            "type": field.db_type(connection) or "",
            "null": field.null,
        }
        for field in model._meta.concrete_fields
    }
    facts = {"model": model._meta.label, "columns": columns}
    if tracked is not None:
        facts["history_of"] = tracked._meta.db_table
    return Contribution(
        kind="tables", name=model._meta.db_table, place=place_of(written), facts=facts
    )


def _migration(label: str, name: str, migration: Any) -> Contribution:
    facts: dict[str, Any] = {
        "reversible": all(operation.reversible for operation in migration.operations),
        "replaces": [".".join(key) for key in migration.replaces],
        "operations": [" ".join(str(one.describe()).split()) for one in migration.operations],
    }
    renames = [
        [one.model_name_lower, one.old_name, one.new_name]
        for one in migration.operations
        if isinstance(one, RenameField)
    ]
    return Contribution(
        kind="migrations",
        name=f"{label}.{name}",
        place=f"{place_of_module(type(migration).__module__)}:1",
        facts=facts | ({"renames": renames} if renames else {}),
    )


def _addresses(registry: Registry) -> Iterator[tuple[str, Contribution]]:
    places = {
        entry.key: entry.place
        for hook in ("resources", "routes")
        for entry in registry.entries.get(hook, ())
    }
    for address, facts in addresses(registry).items():
        parents = (address[:end] for end in range(len(address), 0, -1))
        place = next((places[one] for one in parents if one in places), "")
        owner = facts.pop("owner")
        if owner:
            yield owner, Contribution(kind="addresses", name=address, place=place, facts=facts)


def _entry(hook: str, entry: Entry) -> Contribution:
    facts = facts_of(entry.item)
    if hook == "permissions":
        facts["words"] = str(entry.item.rule.text())
    if hook == "resources":
        facts["fields"] = _fields(entry.item)
    return Contribution(kind=hook, name=entry.key, place=entry.place, facts=facts)


def _fields(resource: Any) -> dict[str, Any]:
    try:
        fields = resource.serializer_class().fields.items()
    except (
        Exception
    ):  # a stranger's serializer may need a request; the ledger does without its fields
        return {}
    return {
        name: {
            "type": type(field).__name__,
            "required": field.required,
            "readable": not field.write_only,
            "writable": not field.read_only,
        }
        for name, field in fields
    }


def _settings(plugin: Plugin) -> Iterator[Contribution]:
    cls = plugin.config.settings_class
    for one in describe_settings(cls, plugin.slug, {}, {}):
        facts = {name: one[name] for name in ("name", "type", "required")}
        place = place_of(cls) if cls else ""
        yield Contribution(kind="settings", name=one["variable"], place=place, facts=facts)


def _configured(plugin: Plugin) -> Iterator[Contribution]:
    """Yield what the plugin's configuration class asks of Django: names only, for values may be secret."""
    place = place_of(plugin.config)
    for kind in CONFIGURED:
        for one in getattr(plugin.config, kind):
            name = one.path if kind == "middleware" else str(one)
            yield Contribution(kind=kind, name=name, place=place, facts={})
    for name in plugin.config.django_settings:
        yield Contribution(kind="django_settings", name=name, place=place, facts={})
