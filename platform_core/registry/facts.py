"""Everything that the booted set of plugins has, as plain data: what a plan compares."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.urls import get_resolver

from platform_core.api_versions import FIRST, api_prefix, split_address
from platform_core.personal_data import personal_columns
from platform_core.registry.addresses import leaves
from platform_core.registry.code_migrations import code_migrations
from platform_core.registry.contents import Registry, installed
from platform_core.registry.ledger import blocking_problems
from platform_core.registry.migration_preview import pending_migrations
from platform_core.registry.problems import PluginProblem
from platform_core.registry.provenance import contents
from platform_core.runtime_settings.overview import settings_in_force
from platform_core.runtime_settings.reading import settings_problems
from platform_core.system import core_permissions

HOOKS_BY_NAME = (
    "importers",
    "commands",
    "health_probes",
    "tasks",
    "schedules",
    "events",
    "subscriptions",
    "mails",
    "first_run",
    "grant_source",
)


def contributed_facts() -> dict[str, Any]:
    """Return plugins, contributions, routes, tables, and what they do to Django's settings."""
    registry = installed()
    return {
        "plugins": _plugins(registry),
        "waiting": {
            slug: {"waits_for": list(missing)}
            for slug, missing in settings.PLATFORM.resolution.waiting.items()
        },
        "contributions": _contributions(registry),
        "routes": routes(registry),
        "permissions": {
            entry.key: {
                "owner": entry.owner,
                "title": str(entry.item.title),
                "model": entry.item.model or "",
                "rule": str(entry.item.rule),
            }
            for entry in registry.entries["permissions"]
        },
        "roles": declared_roles(registry),
        "flags": {
            entry.key: {
                "owner": entry.owner,
                "responsible": entry.item.owner,
                "expires_on": entry.item.expires_on.isoformat(),
                "default": entry.item.default,
            }
            for entry in registry.entries["flags"]
        },
        "published_hooks": {
            hook.name: {"owner": hook.owner, "summary": hook.summary, "place": hook.place}
            for hook in registry.published.values()
        },
        "implementations": {
            f"{hook}: {entry.key}": {"owner": entry.owner, "hook": hook}
            for hook in registry.published
            for entry in registry.entries[hook]
        },
        "tables": _tables(),
        "personal_data": _personal_data(),
        "migrations": _migrations(),
        **_django_settings(),
    }


def recorded_facts() -> dict[str, Any]:
    """Return by plugin what the ledger would keep, and by which digest; also the names of all models."""
    registry = installed()
    return {
        "contents": {
            slug: [one.as_dict() for one in found] for slug, found in contents(registry).items()
        },
        "digests": {plugin.slug: registry.digest_of(plugin) for plugin in registry.plugins},
        "models": sorted(model._meta.label_lower for model in apps.get_models(True)),
    }


def database_facts(problems: list[PluginProblem]) -> dict[str, Any]:
    """Return what the database adds: pending migrations, tables that stand, stored roles; problems are appended.

    The session becomes read-only, so that no operation of a stranger's migration can write.
    """
    with connection.cursor() as cursor:
        cursor.execute("SET default_transaction_read_only = on")
    problems += blocking_problems()
    return {
        "pending": pending_migrations(),
        "standing_tables": sorted(connection.introspection.table_names()),
        **_stored_roles(installed()),
        "settings_left_out": _settings_left_out(),
    }


def settings_facts(*, with_database: bool) -> dict[str, Any]:
    """Return by variable what is in force of each setting and where it comes from; no value that may be secret.

    ``settings_asked_database`` is false where only what the process started with is known.
    """
    asked = with_database
    try:
        with transaction.atomic() if with_database else nullcontext():
            rows = settings_in_force(None if with_database else ())
    except DatabaseError:  # before the first migrate there is nothing to look at
        rows, asked = settings_in_force(()), False
    return {
        "settings_in_force": {one["variable"]: one for one in rows},
        "settings_asked_database": asked,
    }


def _settings_left_out() -> list[dict[str, str]]:
    """Return the settings whose values in the database do not count any more."""
    try:
        with transaction.atomic():
            return [one.as_dict() for one in settings_problems()]
    except DatabaseError:  # before the first migrate there is nothing to look at
        return []


def _plugins(registry: Registry) -> dict[str, Any]:
    return {
        plugin.slug: {
            "state": plugin.state,
            "version": plugin.candidate.version,
            "distribution": plugin.candidate.distribution,
            "requires": list(plugin.requires),
        }
        for plugin in registry.plugins
    }


def _contributions(registry: Registry) -> dict[str, list[dict[str, str]]]:
    return {
        hook: [
            {
                "name": _name(hook, entry.owner, entry.key),
                "owner": entry.owner,
                "place": entry.place,
            }
            for entry in entries
        ]
        for hook, entries in registry.entries.items()
    }


def _name(hook: str, owner: str, key: str) -> str:
    return owner if hook == "grant_source" else key


def routes(registry: Registry) -> dict[str, Any]:
    """Return every address of the deployment with its owner, methods and access; a resource's is its policy."""
    access = {
        f"/{api_prefix(entry.owner)}{entry.item.path}": entry.item.access
        for entry in registry.entries["routes"]
    }
    owners = {plugin.slug for plugin in registry.plugins}
    found = {}
    for address, view in leaves(get_resolver().url_patterns):
        _version, slug, _rest = split_address(address) or (FIRST, "", "")
        owned = slug in owners
        prefixes = [prefix for prefix in access if address.startswith(prefix)]
        found[address] = {
            "owner": slug if owned else "",
            "methods": sorted(method.upper() for method in getattr(view, "actions", {})),
            "access": access[max(prefixes, key=len)] if prefixes else "policy" if owned else "",
        }
    return found


def declared_roles(registry: Registry) -> dict[str, Any]:
    """Return the contributed roles with the permissions that they hold, inherited ones too."""
    roles = {entry.key: entry for entry in registry.entries["roles"]}

    def held(name: str, seen: frozenset[str]) -> set[str]:
        role = roles[name].item
        found = set(role.permissions)
        for parent in role.inherits:
            if parent in roles and parent not in seen:
                found |= held(parent, seen | {parent})
        return found

    return {
        name: {
            "owner": entry.owner,
            "title": str(entry.item.title),
            "permissions": sorted(held(name, frozenset({name}))),
        }
        for name, entry in roles.items()
    }


def _stored_roles(registry: Registry) -> dict[str, dict[str, list[str]]]:
    """Return the roles in the database, when the grant source can tell, with the permissions that they would hold.

    ``unknown_grants`` are those that they name and neither an enabled plugin nor the core defines.
    """
    known = {entry.key for entry in registry.entries["permissions"]}
    known |= {one.name for one in core_permissions()}
    stored: dict[str, Any] = {}
    for source in registry.contributions("grant_source"):
        look = getattr(source, "permissions_by_role", None)
        if look is None:
            continue
        try:
            with transaction.atomic():
                stored |= look()
        except DatabaseError:  # before the first migrate there is nothing to look at
            continue
    return {
        "stored_roles": {name: sorted(known & set(held)) for name, held in stored.items()},
        "unknown_grants": {
            name: sorted(set(held) - known) for name, held in stored.items() if set(held) - known
        },
    }


def _tables() -> dict[str, str]:
    return {
        model._meta.db_table: model._meta.app_label
        for model in apps.get_models(include_auto_created=True)
        if model._meta.managed and not model._meta.proxy
    }


def _personal_data() -> dict[str, str]:
    """Return the columns that hold personal data with the plugin that declares them; a dormant one keeps its data."""
    return {
        column: config.label
        for config in apps.get_app_configs()
        for column in personal_columns([*config.get_models()])
    }


def _migrations() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for label, name in sorted(code_migrations().disk_migrations):
        found.setdefault(label, []).append(name)
    return found


def _django_settings() -> dict[str, Any]:
    """Return what plugins do to Django's settings: names only, for values may be secret."""
    enabled = [plugin for plugin in installed().plugins if plugin.enabled]
    authentication = settings.REST_FRAMEWORK.get("DEFAULT_AUTHENTICATION_CLASSES", ())
    return {
        "middleware": list(settings.MIDDLEWARE),
        "django_apps": list(settings.INSTALLED_APPS),
        "authentication_backends": list(settings.AUTHENTICATION_BACKENDS),
        "api_authentication": list(authentication),
        "user_model": settings.AUTH_USER_MODEL,
        "django_settings": {
            name: plugin.slug for plugin in enabled for name in plugin.config.django_settings
        },
    }
