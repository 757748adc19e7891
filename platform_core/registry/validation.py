"""Judge what was contributed, and the models beside it: every problem of every plugin, in the order of the checks."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from django.apps import apps

from platform_core.plugin import PluginConfig
from platform_core.registry import name_checks, reference_checks, task_checks
from platform_core.registry.call_checks import calls
from platform_core.registry.contents import Entry, Registry
from platform_core.registry.event_checks import Fault, event_faults, subscription_faults
from platform_core.registry.mail_checks import mail_faults
from platform_core.registry.problems import PluginProblem
from platform_core.registry.spelling import misspelt

Check = Callable[[Registry], Iterator[Fault]]

CHECKS: tuple[Check, ...] = (
    name_checks.duplicate_names,
    name_checks.route_overlaps,
    name_checks.prefixes,
    name_checks.commands,
    calls,
    reference_checks.permissions,
    reference_checks.roles,
    reference_checks.routes,
    reference_checks.resources,
    reference_checks.flags,
    task_checks.tasks,
    task_checks.schedules,
    event_faults,
    subscription_faults,
    mail_faults,
)


def problems_of(registry: Registry) -> list[PluginProblem]:
    """Return every problem between contributions, and with the models of their plugins."""
    found = [_problem(*fault) for check in CHECKS for fault in check(registry)]
    configurations = _configurations(registry)
    return [*found, *configurations, *_tables(registry), *_absent_targets(registry)]


def _problem(entry: Entry, code: str, message: str, way_out: str) -> PluginProblem:
    return PluginProblem(
        plugin=entry.owner,
        code=code,
        place=f"{entry.place}, hook {entry.hook}",
        message=message,
        way_out=way_out,
    )


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
