"""Work outside the request: standard Django tasks with retries, unique keys, schedules, progress and operations.

The names are loaded on first use: the settings name the backend before models can be imported.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from platform_core.tasks.context import Cancelled, Context
    from platform_core.tasks.declaring import PlatformTask, Retry, task
    from platform_core.tasks.standard import (
        InvalidTask,
        TaskResult,
        TaskResultDoesNotExist,
        TaskResultStatus,
    )

_HOMES = {
    "Cancelled": "context",
    "Context": "context",
    "InvalidTask": "standard",
    "PlatformTask": "declaring",
    "Retry": "declaring",
    "TaskResult": "standard",
    "TaskResultDoesNotExist": "standard",
    "TaskResultStatus": "standard",
    "task": "declaring",
}

__all__ = [
    "Cancelled",
    "Context",
    "InvalidTask",
    "PlatformTask",
    "Retry",
    "TaskResult",
    "TaskResultDoesNotExist",
    "TaskResultStatus",
    "task",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{home}"), name)
