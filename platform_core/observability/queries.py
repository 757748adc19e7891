"""Count the statements of a thread and the time they take, always; who owns their tables, when somebody asks."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

CORE = "platform_core"
_FIRST_TABLE = re.compile(r'\b(?:FROM|INTO|UPDATE)\s+"([^"]+)"')


@dataclass(slots=True)
class Watch:
    """Statements and their seconds by the plugin that owns the first table they name."""

    by_owner: dict[str, tuple[int, float]] = field(default_factory=dict)

    def saw(self, sql: object, seconds: float) -> None:
        """Add one statement."""
        owner = _owner(sql)
        count, total = self.by_owner.get(owner, (0, 0.0))
        self.by_owner[owner] = (count + 1, total + seconds)


class Spent(threading.local):
    """What this thread has spent on statements since it began: requests take the difference."""

    statements = 0
    seconds = 0.0
    watch: Watch | None = None


spent = Spent()


def count_queries() -> None:
    """Count on every connection of this process, present and future; calling it again changes nothing."""
    for connection in connections.all(initialized_only=True):
        _install(connection)
    connection_created.connect(_install, dispatch_uid="platform_core.observability.queries")


@contextmanager
def watching() -> Iterator[Watch]:
    """Tell statements of this thread apart by owner while the block runs."""
    spent.watch = watch = Watch()
    try:
        yield watch
    finally:
        spent.watch = None


def _install(connection: BaseDatabaseWrapper, **_: object) -> None:
    """Put the counter before all others: blocks that add one take away the last."""
    if _counted not in connection.execute_wrappers:
        connection.execute_wrappers.insert(0, _counted)


def _counted(
    execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: dict[str, Any]
) -> Any:
    started = time.perf_counter()
    try:
        return execute(sql, params, many, context)
    finally:
        seconds = time.perf_counter() - started
        spent.statements += 1
        spent.seconds += seconds
        if spent.watch is not None:
            spent.watch.saw(sql, seconds)


def _owner(sql: object) -> str:
    found = _FIRST_TABLE.search(sql) if isinstance(sql, str) else None
    return _owners().get(found[1], CORE) if found else CORE


@cache
def _owners() -> dict[str, str]:
    """Return the plugin of each table; tables of nobody's are the core's."""
    return {
        model._meta.db_table: model._meta.app_label
        for model in apps.get_models(include_auto_created=True)
        if model._meta.app_label in settings.PLATFORM_ENABLED_SLUGS
    }
