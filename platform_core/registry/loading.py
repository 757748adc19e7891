"""Import the hooks of enabled plugins one by one and collect, with owner and place, what they contribute."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
from collections.abc import Sequence
from typing import Any

import pluggy

from platform_core import contributions, hookspecs
from platform_core.access import PermissionRegistry, PermissionRegistryError
from platform_core.events.declaring import Event
from platform_core.mail.declaring import Mail
from platform_core.registry.contents import Entry, Registry
from platform_core.registry.problems import PluginErrors, PluginProblem, import_problem, location_of
from platform_core.registry.publishing import HookManager, place_of, published_hooks
from platform_core.registry.resolution import Plugin
from platform_core.registry.steps import loading
from platform_core.registry.validation import problems_of
from platform_core.system import core_permissions
from platform_core.tasks.declaring import PlatformTask

ITEM_TYPES: dict[str, type[Any]] = {
    "routes": contributions.Route,
    "permissions": contributions.Permission,
    "roles": contributions.Role,
    "flags": contributions.Flag,
    "importers": contributions.Importer,
    "commands": contributions.Command,
    "health_probes": contributions.HealthProbe,
    "tasks": PlatformTask,
    "schedules": contributions.Schedule,
    "subscriptions": contributions.Subscription,
    "first_run": contributions.FirstRunStep,
}
SINGLE_HOOKS = frozenset({"grant_source"})
CLASS_HOOKS = ("resources", "events", "mails")
HOOKS = (*CLASS_HOOKS, *ITEM_TYPES, *SINGLE_HOOKS)
SPECIFICATIONS = hookspecs.__name__


def load(plugins: Sequence[Plugin]) -> Registry:
    """Return the registry of ``plugins``; raises PluginErrors with every problem of every plugin.

    Each plugin is registered alone, so that a misspelt hook, a wrong result and an exception have an owner.
    """
    entries: dict[str, list[Entry]] = {hook: [] for hook in HOOKS}
    problems: list[PluginProblem] = []
    published = published_hooks(plugins, problems)
    entries |= {hook: [] for hook in published}
    manager = HookManager(published)
    for plugin in plugins:
        if not plugin.enabled:
            continue
        module = _import_hooks(plugin, problems)
        if module is None or not _register(manager, plugin, module, problems):
            continue
        for hook in entries:
            entries[hook] += _call(manager, plugin, hook, problems)
    registry = Registry(
        plugins=tuple(plugins),
        entries={hook: tuple(found) for hook, found in entries.items()},
        published=published,
    )
    if not problems:
        problems += problems_of(registry)
    if problems:
        raise PluginErrors(problems)
    return registry


def permission_registry(registry: Registry) -> PermissionRegistry:
    """Return the permissions of ``registry`` with their grant source; raises PluginErrors for rules that cannot work."""
    sources = registry.contributions("grant_source")
    permissions = [*core_permissions(), *registry.contributions("permissions")]
    try:
        return PermissionRegistry(permissions, sources[0] if sources else None)
    except PermissionRegistryError as error:
        places = {entry.key: entry for entry in registry.entries["permissions"]}
        raise PluginErrors(
            [
                PluginProblem(
                    plugin=places[name].owner,
                    code="rule_invalid",
                    place=f"{places[name].place}, permission {name}",
                    message=message,
                    way_out="Correct the rule in the plugin's rules.py.",
                )
                for name, message in error.problems
            ]
        ) from error


def _import_hooks(plugin: Plugin, problems: list[PluginProblem]) -> Any:
    name = f"{plugin.config.name}.hooks"
    try:
        if importlib.util.find_spec(name) is None:
            return None
        with loading(plugin.slug, "hooks"):
            return importlib.import_module(name)
    except Exception as error:  # whatever a stranger's module raises, the report has to go on
        problems.append(
            import_problem(
                plugin.slug, "hooks_import_failed", error, package=plugin.config.name, module=name
            )
        )
        return None


def _register(
    manager: HookManager, plugin: Plugin, module: Any, problems: list[PluginProblem]
) -> bool:
    """Register one plugin and check its hooks at once; a plugin that fails is taken out again."""
    try:
        manager.register_plugin(plugin, module)
    except pluggy.PluginValidationError as error:
        if manager.has_plugin(plugin.slug):
            manager.unregister(name=plugin.slug)
        problems.append(
            PluginProblem(
                plugin=plugin.slug,
                code="hook_invalid",
                place=_place_of_bad_hook(module, error),
                message=" ".join(str(error).split()) + ".",
                way_out=f"Hooks of the core: {', '.join(HOOKS)}; of plugins: "
                f"{', '.join(manager.published) or 'none'}; none takes parameters.",
            )
        )
        return False
    return True


def _place_of_bad_hook(module: Any, error: pluggy.PluginValidationError) -> str:
    told = str(error)
    for name, function in vars(module).items():
        marks = (f"'{name}'", f"definition: {name}(")  # of the hook, else of its implementation
        if inspect.isfunction(function) and any(mark in told for mark in marks):
            return place_of(function, module.__name__.partition(".")[0])
    return str(module.__name__)


def _call(
    manager: HookManager, plugin: Plugin, hook: str, problems: list[PluginProblem]
) -> list[Entry]:
    found: list[Entry] = []
    for implementation in getattr(manager.hook, hook).get_hookimpls():
        if implementation.plugin_name != plugin.slug:
            continue
        place = place_of(implementation.function, plugin.config.name)
        try:
            with loading(plugin.slug, "calls"):
                result = implementation.function()
        except (
            Exception
        ) as error:  # a stranger's hook may raise anything; it is told, not swallowed
            problems.append(
                PluginProblem(
                    plugin=plugin.slug,
                    code="hook_raised",
                    place=location_of(error, plugin.config.name, place),
                    message=f"The hook {hook} raised {type(error).__name__}: {error}.",
                    way_out="Repair the plugin, or make it dormant.",
                )
            )
            continue
        published = manager.published.get(hook)
        fault = published.fault(result) if published else _type_fault(hook, result)
        if fault:
            problems.append(
                PluginProblem(
                    plugin=plugin.slug,
                    code="hook_wrong_type",
                    place=place,
                    message=fault,
                    way_out=f"Return what {published.place if published else SPECIFICATIONS} says.",
                )
            )
            continue
        items = (result,) if hook in SINGLE_HOOKS else result
        found += [Entry(owner=plugin.slug, hook=hook, item=item, place=place) for item in items]
    return found


def _type_fault(hook: str, result: object) -> str:
    if hook in SINGLE_HOOKS:
        missing = [
            name
            for name in ("grants", "within", "covers", "synchronise", "unit_model")
            if not hasattr(result, name)
        ]
        return f"The hook {hook} returned no GrantSource: it lacks {missing}." if missing else ""
    if not isinstance(result, list | tuple):
        return f"The hook {hook} returned {type(result).__name__}, not a list or tuple."
    for item in result:
        if hook in CLASS_HOOKS:
            base = _base_of(hook)
            if not (isinstance(item, type) and issubclass(item, base)):
                return (
                    f"The hook {hook} returned {item!r}, which is not of the class {base.__name__}."
                )
        elif not isinstance(item, ITEM_TYPES[hook]):
            return (
                f"The hook {hook} returned a {type(item).__name__}, "
                f"not a {ITEM_TYPES[hook].__name__}."
            )
    return ""


def _base_of(hook: str) -> type[Any]:
    if hook == "events":
        return Event
    if hook == "mails":
        return Mail
    from platform_core.resource import Resource  # needs loaded models

    return Resource
