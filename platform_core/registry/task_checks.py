"""Judge tasks and schedules: names that the queue keeps, tasks of the plugin's own, and times that come."""

from __future__ import annotations

from collections.abc import Iterator

from platform_core.registry.contents import Registry
from platform_core.registry.event_checks import Fault

MOST_NAME = 128
"""Characters of a task's name, which the queue keeps."""


def tasks(registry: Registry) -> Iterator[Fault]:
    """Yield the tasks of other packages, and those whose names the queue cannot keep."""
    packages = {plugin.slug: plugin.config.name for plugin in registry.plugins}
    for entry in registry.entries["tasks"]:
        module = entry.item.func.__module__
        package = packages[entry.owner]
        if module != package and not module.startswith(f"{package}."):
            yield (
                entry,
                "foreign_task",
                f'The task "{entry.key}" is written in {module}, outside the plugin.',
                "Contribute tasks of the plugin's own package only; call another's service in them.",
            )
        if len(entry.key) > MOST_NAME:
            yield (
                entry,
                "task_name",
                f'The name of the task "{entry.key}" is longer than {MOST_NAME} characters.',
                "Give the function a shorter name.",
            )


def schedules(registry: Registry) -> Iterator[Fault]:
    """Yield the schedules that never come, or that are for a task which their plugin does not contribute."""
    from platform_core.tasks.ticking import cron_problem  # needs nothing of Django, but takes time

    own = {(entry.owner, entry.item.func) for entry in registry.entries["tasks"]}
    for entry in registry.entries["schedules"]:
        wrong = cron_problem(entry.item.cron)
        if wrong:
            yield (
                entry,
                "schedule_cron",
                f'The cron expression {entry.item.cron!r} of "{entry.key}" cannot be used: {wrong}.',
                'Write it like "30 2 * * 1": minute, hour, day of month, month, day of week.',
            )
        if (entry.owner, getattr(entry.item.task, "func", None)) not in own:
            yield (
                entry,
                "unknown_reference",
                f'The schedule "{entry.key}" is for a task that its plugin does not contribute.',
                "Return the task from the hook tasks.",
            )
