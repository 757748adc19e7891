"""Judge what contributions refer to: permissions, roles, flags, tasks and models that somebody has to bring."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.apps import apps

from platform_core.access import Granted
from platform_core.contributions import PUBLIC, SIGNED_IN
from platform_core.registry.contents import Registry
from platform_core.registry.event_checks import Fault
from platform_core.system import core_permissions


def permissions(registry: Registry) -> Iterator[Fault]:
    """Yield the permissions about models that are not installed."""
    for entry in registry.entries["permissions"]:
        model = entry.item.model
        if model is not None and _model(model) is None:
            yield (
                entry,
                "unknown_model",
                f'The permission "{entry.key}" is about {model!r}, which is not installed.',
                "Name a model as app_label.ModelName of this or a required plugin.",
            )


def roles(registry: Registry) -> Iterator[Fault]:
    """Yield the roles that name permissions or roles which nobody defines."""
    permissions = {entry.key for entry in registry.entries["permissions"]}
    permissions |= {one.name for one in core_permissions()}
    roles = {entry.key for entry in registry.entries["roles"]}
    for entry in registry.entries["roles"]:
        for kind, names, known in (
            ("permission", entry.item.permissions, permissions),
            ("role", entry.item.inherits, roles),
        ):
            for name in names:
                if name not in known:
                    yield (
                        entry,
                        "unknown_reference",
                        f'The role "{entry.key}" names the {kind} "{name}", which nobody defines.',
                        f"Define the {kind}, or take it out of the role.",
                    )


def routes(registry: Registry) -> Iterator[Fault]:
    """Yield the routes and importers without a target, or without an access rule that somebody defines."""
    permissions = {entry.key for entry in registry.entries["permissions"]}
    for entry in registry.entries["routes"]:
        route = entry.item
        if (route.view is None) == (route.urlconf is None):
            yield (
                entry,
                "route_target",
                f'The route "{entry.key}" needs exactly one of view and urlconf.',
                "Give it one of them.",
            )
        if route.path.startswith("/"):
            yield (
                entry,
                "route_path",
                f'The path "{route.path}" starts with a slash.',
                f'Routes are below /api/v1/{entry.owner}/ by themselves: write "{route.path.lstrip("/")}".',
            )
        if route.access not in permissions | {PUBLIC, SIGNED_IN}:
            yield (
                entry,
                "unknown_reference",
                f'The route "{entry.key}" asks for "{route.access}", which no plugin defines.',
                "Name a permission, SIGNED_IN or PUBLIC.",
            )
        if route.urlconf is not None and route.access != PUBLIC:
            yield (
                entry,
                "route_access",
                f'The included URLs at "{entry.key}" cannot be guarded from outside.',
                "Declare them PUBLIC and guard each view, or contribute views.",
            )
    for entry in registry.entries["importers"]:
        if entry.item.permission not in permissions:
            yield (
                entry,
                "unknown_reference",
                (
                    f'The importer "{entry.key}" asks for "{entry.item.permission}", '
                    "which nobody defines."
                ),
                "Define the permission.",
            )


def resources(registry: Registry) -> Iterator[Fault]:
    """Yield the resources that are wrong in themselves, or ask for permissions which nobody defines."""
    from platform_core.resource import check_resource  # needs loaded models
    from platform_core.resource.declared import name_of
    from platform_core.resource.nesting import parents_of

    permissions = {entry.key for entry in registry.entries["permissions"]}
    siblings: dict[tuple[str, int], dict[str, Any]] = {}
    for entry in registry.entries["resources"]:
        key = (entry.owner, entry.item.api_version)
        siblings.setdefault(key, {})[name_of(entry.item)] = entry.item
    for entry in registry.entries["resources"]:
        try:
            check_resource(entry.item)
            beside = siblings[entry.owner, entry.item.api_version]
            parents_of(entry.item, beside, name_of(entry.item))
        except TypeError as error:
            yield (entry, "resource_invalid", f"{error}.", "Correct the resource class.")
            continue
        for name in sorted(set(entry.item.policy.actions.values()) - permissions):
            yield (
                entry,
                "unknown_reference",
                f'The policy of "{entry.key}" asks for "{name}", which no plugin defines.',
                "Define the permission in the hook permissions.",
            )
        for name in sorted(_asked_by_fields(entry.item) - permissions):
            yield (
                entry,
                "unknown_reference",
                f'The field_rules of "{entry.key}" ask for "{name}", which no plugin defines.',
                "Define the permission in the hook permissions.",
            )


def _asked_by_fields(resource: Any) -> set[str]:
    return {
        leaf.permission
        for access in resource.field_rules.values()
        for rule in (access.view, access.change)
        for leaf in rule.leaves()
        if isinstance(leaf, Granted)
    }


def flags(registry: Registry) -> Iterator[Fault]:
    """Yield what is behind a flag that nobody declares."""
    from platform_core.resource.operations import operations_of  # needs loaded models

    flags = {entry.key for entry in registry.entries["flags"]}
    for hook in ("resources", "routes"):
        for entry in registry.entries[hook]:
            names = {entry.item.flag}
            if hook == "resources":
                names |= {operation.flag for operation in operations_of(entry.item).values()}
            for name in sorted(names - flags - {None}):
                yield (
                    entry,
                    "unknown_reference",
                    f'"{entry.key}" is behind the flag "{name}", which nobody declares.',
                    "Declare it in the hook flags, with owner and expiry.",
                )


def _model(label: str) -> Any:
    try:
        return apps.get_model(label)
    except (LookupError, ValueError):
        return None
