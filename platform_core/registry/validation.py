"""Judge what was contributed: prefixes, references, and two owners of one name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from django.apps import apps

from platform_core.access import Granted
from platform_core.contributions import PUBLIC, SIGNED_IN
from platform_core.plugin import PluginConfig
from platform_core.registry.call_checks import CALLED_WITH, call_faults
from platform_core.registry.contents import Entry, Registry
from platform_core.registry.event_checks import event_faults, subscription_faults
from platform_core.registry.mail_checks import mail_faults
from platform_core.registry.problems import PluginProblem
from platform_core.registry.spelling import misspelt
from platform_core.system import core_permissions

CORE_COMMANDS = frozenset(
    [
        "api",
        "init",
        "run",
        "check",
        "migrate",
        "import",
        "plugin",
        "startplugin",
        "shell",
        "worker",
        "db",
        "audit",
        "events",
        "mail",
        "settings",
        "tasks",
    ]
)
MOST_NAME = 128
"""Characters of a task's name, which the queue keeps."""
PREFIXED_HOOKS = ("permissions", "roles", "flags", "schedules", "events", "subscriptions", "mails")


def problems_of(registry: Registry) -> list[PluginProblem]:
    """Return every problem between contributions, in the order of the checks."""
    return [
        problem
        for check in (
            _duplicate_names,
            _route_overlaps,
            _prefixes,
            _commands,
            _calls,
            _configurations,
            _permissions,
            _roles,
            _routes,
            _resources,
            _flags_used,
            _tasks,
            _schedules,
            _events,
            _mails,
            _tables,
            _absent_targets,
        )
        for problem in check(registry)
    ]


Check = Callable[[Registry], Iterator[PluginProblem]]


def _problem(entry: Entry, code: str, message: str, way_out: str) -> PluginProblem:
    return PluginProblem(
        plugin=entry.owner,
        code=code,
        place=f"{entry.place}, hook {entry.hook}",
        message=message,
        way_out=way_out,
    )


def _duplicate_names(registry: Registry) -> Iterator[PluginProblem]:
    for entries in registry.entries.values():
        first: dict[str, Entry] = {}
        for entry in entries:
            other = first.setdefault(entry.key, entry)
            if other is not entry:
                yield _problem(
                    entry,
                    "conflict",
                    f'"{entry.key}" is contributed twice: by {other.owner} ({other.place}) too.',
                    "Rename one of the two, or enable only one of the plugins.",
                )


def _route_overlaps(registry: Registry) -> Iterator[PluginProblem]:
    """A route below a resource's own path would be shadowed or would shadow it."""
    resources = {entry.key: entry for entry in registry.entries["resources"]}
    for route in registry.entries["routes"]:
        for path, resource in resources.items():
            if route.key.startswith(path) or path.startswith(route.key):
                yield _problem(
                    route,
                    "conflict",
                    f'The route "{route.key}" overlaps the resource "{path}" of {resource.owner} '
                    f"({resource.place}).",
                    "Give the route a path of its own.",
                )


def _prefixes(registry: Registry) -> Iterator[PluginProblem]:
    for hook in (*PREFIXED_HOOKS, *registry.published):
        for entry in registry.entries[hook]:
            if not entry.key.startswith(f"{entry.owner}."):
                yield _problem(
                    entry,
                    "prefix",
                    f'"{entry.key}" does not start with "{entry.owner}.".',
                    f'Call it "{entry.owner}.{entry.key.rpartition(".")[2]}".',
                )
    for entry in registry.entries["importers"]:
        if entry.key != entry.owner and not entry.key.startswith(f"{entry.owner}."):
            yield _problem(
                entry,
                "prefix",
                f'The importer "{entry.key}" is neither "{entry.owner}" nor starts with it.',
                f'Call it "{entry.owner}" or "{entry.owner}.<format>".',
            )


def _commands(registry: Registry) -> Iterator[PluginProblem]:
    for entry in registry.entries["commands"]:
        words = entry.key.split(" ")
        if words[0] in CORE_COMMANDS or len(words) > 2 or not all(words):
            yield _problem(
                entry,
                "command_name",
                f'The command "{entry.key}" is one of the core or is not one or two words.',
                f'Start it with a word of its own, such as "{entry.owner}".',
            )


def _calls(registry: Registry) -> Iterator[PluginProblem]:
    for hook in CALLED_WITH:
        for entry in registry.entries[hook]:
            for message, way_out in call_faults(hook, entry.item):
                yield _problem(entry, "not_callable", message, way_out)


def _configurations(registry: Registry) -> Iterator[PluginProblem]:
    for plugin in registry.plugins:
        for name, meant in misspelt(plugin.config, PluginConfig):
            yield PluginProblem(
                plugin=plugin.slug,
                code="attribute_unknown",
                place=f"{plugin.config.__module__}.{plugin.config.__qualname__}.{name}",
                message=f'"{name}" is no attribute of a plugin\'s configuration.',
                way_out=f'Call it "{meant}".',
            )


def _permissions(registry: Registry) -> Iterator[PluginProblem]:
    for entry in registry.entries["permissions"]:
        model = entry.item.model
        if model is not None and _model(model) is None:
            yield _problem(
                entry,
                "unknown_model",
                f'The permission "{entry.key}" is about {model!r}, which is not installed.',
                "Name a model as app_label.ModelName of this or a required plugin.",
            )


def _roles(registry: Registry) -> Iterator[PluginProblem]:
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
                    yield _problem(
                        entry,
                        "unknown_reference",
                        f'The role "{entry.key}" names the {kind} "{name}", which nobody defines.',
                        f"Define the {kind}, or take it out of the role.",
                    )


def _routes(registry: Registry) -> Iterator[PluginProblem]:
    permissions = {entry.key for entry in registry.entries["permissions"]}
    for entry in registry.entries["routes"]:
        route = entry.item
        if (route.view is None) == (route.urlconf is None):
            yield _problem(
                entry,
                "route_target",
                f'The route "{entry.key}" needs exactly one of view and urlconf.',
                "Give it one of them.",
            )
        if route.path.startswith("/"):
            yield _problem(
                entry,
                "route_path",
                f'The path "{route.path}" starts with a slash.',
                f'Routes are below /api/v1/{entry.owner}/ by themselves: write "{route.path.lstrip("/")}".',
            )
        if route.access not in permissions | {PUBLIC, SIGNED_IN}:
            yield _problem(
                entry,
                "unknown_reference",
                f'The route "{entry.key}" asks for "{route.access}", which no plugin defines.',
                "Name a permission, SIGNED_IN or PUBLIC.",
            )
        if route.urlconf is not None and route.access != PUBLIC:
            yield _problem(
                entry,
                "route_access",
                f'The included URLs at "{entry.key}" cannot be guarded from outside.',
                "Declare them PUBLIC and guard each view, or contribute views.",
            )
    for entry in registry.entries["importers"]:
        if entry.item.permission not in permissions:
            yield _problem(
                entry,
                "unknown_reference",
                f'The importer "{entry.key}" asks for "{entry.item.permission}", '
                "which nobody defines.",
                "Define the permission.",
            )


def _resources(registry: Registry) -> Iterator[PluginProblem]:
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
            yield _problem(entry, "resource_invalid", f"{error}.", "Correct the resource class.")
            continue
        for name in sorted(set(entry.item.policy.actions.values()) - permissions):
            yield _problem(
                entry,
                "unknown_reference",
                f'The policy of "{entry.key}" asks for "{name}", which no plugin defines.',
                "Define the permission in the hook permissions.",
            )
        for name in sorted(_asked_by_fields(entry.item) - permissions):
            yield _problem(
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


def _flags_used(registry: Registry) -> Iterator[PluginProblem]:
    from platform_core.resource.operations import operations_of  # needs loaded models

    flags = {entry.key for entry in registry.entries["flags"]}
    for hook in ("resources", "routes"):
        for entry in registry.entries[hook]:
            names = {entry.item.flag}
            if hook == "resources":
                names |= {operation.flag for operation in operations_of(entry.item).values()}
            for name in sorted(names - flags - {None}):
                yield _problem(
                    entry,
                    "unknown_reference",
                    f'"{entry.key}" is behind the flag "{name}", which nobody declares.',
                    "Declare it in the hook flags, with owner and expiry.",
                )


def _tasks(registry: Registry) -> Iterator[PluginProblem]:
    packages = {plugin.slug: plugin.config.name for plugin in registry.plugins}
    for entry in registry.entries["tasks"]:
        module = entry.item.func.__module__
        package = packages[entry.owner]
        if module != package and not module.startswith(f"{package}."):
            yield _problem(
                entry,
                "foreign_task",
                f'The task "{entry.key}" is written in {module}, outside the plugin.',
                "Contribute tasks of the plugin's own package only; call another's service in them.",
            )
        if len(entry.key) > MOST_NAME:
            yield _problem(
                entry,
                "task_name",
                f'The name of the task "{entry.key}" is longer than {MOST_NAME} characters.',
                "Give the function a shorter name.",
            )


def _schedules(registry: Registry) -> Iterator[PluginProblem]:
    from platform_core.tasks.ticking import cron_problem  # needs nothing of Django, but takes time

    own = {(entry.owner, entry.item.func) for entry in registry.entries["tasks"]}
    for entry in registry.entries["schedules"]:
        wrong = cron_problem(entry.item.cron)
        if wrong:
            yield _problem(
                entry,
                "schedule_cron",
                f'The cron expression {entry.item.cron!r} of "{entry.key}" cannot be used: {wrong}.',
                'Write it like "30 2 * * 1": minute, hour, day of month, month, day of week.',
            )
        if (entry.owner, getattr(entry.item.task, "func", None)) not in own:
            yield _problem(
                entry,
                "unknown_reference",
                f'The schedule "{entry.key}" is for a task that its plugin does not contribute.',
                "Return the task from the hook tasks.",
            )


def _events(registry: Registry) -> Iterator[PluginProblem]:
    for fault in (*event_faults(registry), *subscription_faults(registry)):
        yield _problem(*fault)


def _mails(registry: Registry) -> Iterator[PluginProblem]:
    for fault in mail_faults(registry):
        yield _problem(*fault)


def _tables(registry: Registry) -> Iterator[PluginProblem]:
    for plugin in registry.plugins:
        for model in apps.get_app_config(plugin.slug).get_models(include_auto_created=True):
            if model._meta.managed and not model._meta.db_table.startswith(f"{plugin.slug}_"):
                yield PluginProblem(
                    plugin=plugin.slug,
                    code="prefix",
                    place=f"{model.__module__}.{model.__qualname__}",
                    message=f'Its table "{model._meta.db_table}" does not start with '
                    f'"{plugin.slug}_".',
                    way_out="Leave db_table to Django, or start it with the slug.",
                )


def _absent_targets(registry: Registry) -> Iterator[PluginProblem]:
    for plugin in registry.plugins:
        for model in apps.get_app_config(plugin.slug).get_models():
            for field in model._meta.get_fields():
                target = getattr(getattr(field, "remote_field", None), "model", None)
                if isinstance(target, str) and getattr(field, "model", None) is model:
                    yield PluginProblem(
                        plugin=plugin.slug,
                        code="absent_target",
                        place=f"{model.__module__}.{model.__qualname__}.{field.name}",
                        message=f'It refers to "{target}", which is not installed.',
                        way_out="Require the plugin that brings it (Requires-Dist) and enable it, "
                        "or reach it through hooks.",
                    )


def _model(label: str) -> Any:
    try:
        return apps.get_model(label)
    except (LookupError, ValueError):
        return None
