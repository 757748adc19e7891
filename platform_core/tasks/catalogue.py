"""The tasks and schedules of this process by name, each with its owner: those of enabled plugins and the core's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from platform_core.registry import installed
from platform_core.registry.contents import Registry
from platform_core.tasks.standard import InvalidTask

if TYPE_CHECKING:
    from platform_core.contributions import Schedule
    from platform_core.tasks.declaring import PlatformTask

CORE = "platform_core"


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnedTask:
    """A task under its full name, ``<slug>.<function>``, and the slug of its owner, which is its queue."""

    name: str
    owner: str
    task: PlatformTask[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnedSchedule:
    """A schedule and the slug of its owner."""

    name: str
    owner: str
    schedule: Schedule


@dataclass(frozen=True, slots=True)
class _Catalogue:
    tasks: Mapping[str, OwnedTask]
    by_function: Mapping[Any, OwnedTask]
    schedules: Mapping[str, OwnedSchedule]


_latest: list[tuple[Registry, _Catalogue]] = []
"""The catalogue of the registry that was asked last; a process has one, tests several."""


def _catalogue() -> _Catalogue:
    registry = installed()
    if not _latest or _latest[0][0] is not registry:
        _latest[:] = [(registry, _made_of(registry))]
    return _latest[0][1]


def _made_of(registry: Registry) -> _Catalogue:
    from platform_core.tasks.own import SCHEDULES, TASKS

    tasks = [(CORE, one) for one in TASKS]
    tasks += [(entry.owner, entry.item) for entry in registry.entries["tasks"]]
    schedules = [(CORE, one) for one in SCHEDULES]
    schedules += [(entry.owner, entry.item) for entry in registry.entries["schedules"]]
    owned = [OwnedTask(name=f"{owner}.{one.name}", owner=owner, task=one) for owner, one in tasks]
    return _Catalogue(
        {one.name: one for one in owned},
        {one.task.func: one for one in owned},
        {
            one.name: OwnedSchedule(name=one.name, owner=owner, schedule=one)
            for owner, one in schedules
        },
    )


def queues() -> list[str]:
    """Return the queues that this process may work on: the core's, and those of enabled plugins."""
    return [CORE, *(plugin.slug for plugin in installed().plugins if plugin.enabled)]


def all_tasks() -> Mapping[str, OwnedTask]:
    """Return all tasks by their full name."""
    return _catalogue().tasks


def all_schedules() -> Mapping[str, OwnedSchedule]:
    """Return all schedules by their name."""
    return _catalogue().schedules


def owned(task: Any) -> OwnedTask:
    """Return the task as its owner contributes it; raises InvalidTask for one that no enabled plugin contributes."""
    found = _catalogue().by_function.get(task.func)
    if found is None:
        raise InvalidTask(
            f"{task.module_path} is a task of no enabled plugin. Return it from the hook tasks() of its plugin's "
            "hooks.py; a dormant plugin's tasks cannot be enqueued."
        )
    return found
