"""Know what was changed at run time: a process looks once a second, when somebody asks for a setting."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from functools import cache
from typing import Final
from uuid import UUID

import structlog
from django.db import ProgrammingError, connection

from platform_core.conf.django import core_settings
from platform_core.conf.runtime import overrides
from platform_core.models import SettingChange
from platform_core.observability.logging import set_level
from platform_core.prepared import fetch_prepared
from platform_core.registry.problems import PluginProblem
from platform_core.runtime_settings.catalogue import all_settings
from platform_core.runtime_settings.judging import NotInForce, StoredValue, sift

log = structlog.get_logger("platform_core.runtime_settings")

LOOKS_EVERY_S: Final = 1.0
_NEWEST = "SELECT id FROM platform_core_settingchange ORDER BY changed_at DESC LIMIT 1"


class Watch:
    """Sees that the newest change is another one than before, and reads the values then; one for all threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._next_look = 0.0
        self._newest: UUID | None = None

    def look(self) -> None:
        """Read the values if they have changed, at most once a second; within a transaction what is known stays.

        Raises what the database raises when it is away.
        """
        if time.monotonic() < self._next_look or connection.in_atomic_block:
            return
        if self._lock.acquire(blocking=False):  # others go on with what is known
            try:
                self._next_look = time.monotonic() + LOOKS_EVERY_S
                newest = _newest()
                if newest != self._newest:
                    self._take(newest)
            finally:
                self._lock.release()

    def read(self) -> None:
        """Read the values now, whatever is known."""
        with self._lock:
            self._take(_newest())

    def forget(self) -> None:
        """Know of no values, until the next look."""
        with self._lock:
            self._newest, self._next_look = None, 0.0
            overrides().replace({})

    def _take(self, newest: UUID | None) -> None:
        values, left_out = sift(all_settings(), stored_values())
        overrides().replace(values)
        self._newest = newest
        set_level(core_settings().log_level)
        for one in left_out:
            if one.code != "environment":
                log.warning(
                    "stored setting does not count", setting=one.stored.variable, why=one.why
                )


@cache
def watch() -> Watch:
    """Return this process's."""
    return Watch()


def watch_settings() -> None:
    """Let whoever asks for a setting see what was changed at run time; called once the models are loaded."""
    overrides().refresh = watch().look


def stored_values() -> list[StoredValue]:
    """Return the newest value of each setting that was set and not reset since."""
    newest = SettingChange.objects.order_by("plugin", "name", "-version").distinct("plugin", "name")
    return [
        StoredValue(plugin=one.plugin, name=one.name, value=one.value)
        for one in newest
        if not one.is_reset
    ]


def not_in_force() -> Sequence[NotInForce]:
    """Return the stored values that do not count though nobody meant that: what an upgrade left behind."""
    _values, left_out = sift(all_settings(), stored_values())
    return [one for one in left_out if one.code != "environment"]


def settings_problems() -> list[PluginProblem]:
    """Return those values as problems, each with its way out."""
    return [
        PluginProblem(
            plugin=one.stored.plugin,
            code="setting_not_in_force",
            place=one.stored.variable,
            message=f"A value that was set at run time does not count: {one.why}",
            way_out=f"platformctl settings reset {one.stored.variable}, or set another value",
        )
        for one in not_in_force()
    ]


def _newest() -> UUID | None:
    try:
        rows = fetch_prepared(_NEWEST, [])
    except ProgrammingError:  # before the migration that makes the table
        return None
    return rows[0][0] if rows else None
