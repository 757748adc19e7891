"""The one import of the standard task API: ``django.tasks`` from Django 6 on, ``django_tasks`` before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, ParamSpec, TypeVar

import django

if TYPE_CHECKING or django.VERSION >= (6, 0):
    from django.tasks import TaskContext, TaskResult, TaskResultStatus
    from django.tasks.backends.base import BaseTaskBackend
    from django.tasks.base import Task, TaskError
    from django.tasks.exceptions import InvalidTask, TaskResultDoesNotExist
else:
    from django_tasks import TaskContext, TaskResult, TaskResultStatus
    from django_tasks.backends.base import BaseTaskBackend
    from django_tasks.base import Task, TaskError
    from django_tasks.exceptions import InvalidTaskError as InvalidTask
    from django_tasks.exceptions import TaskResultDoesNotExist

if not TYPE_CHECKING and not hasattr(Task, "__class_getitem__"):
    P = ParamSpec("P")
    T = TypeVar("T")
    _Plain = Task

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Task(_Plain, Generic[P, T]):
        """The standard task of Django 6, which is not generic as that of ``django_tasks`` and of the type stubs is."""


__all__ = [
    "BaseTaskBackend",
    "InvalidTask",
    "Task",
    "TaskContext",
    "TaskError",
    "TaskResult",
    "TaskResultDoesNotExist",
    "TaskResultStatus",
]
