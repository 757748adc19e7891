"""Enqueue what schedules ask for: once for each tick, however many workers look at the clock."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import structlog
from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from platform_core.access import acting_as, system_actor
from platform_core.tasks.catalogue import OwnedSchedule, all_schedules
from platform_core.tasks.ticking import latest_tick, next_tick

log = structlog.get_logger("platform_core.tasks")

LATE_S = 300
"""A tick that is older counts as missed."""
_TICK = """
INSERT INTO platform_core_scheduletick AS known (name, plugin, ticked_at) VALUES (%s, %s, %s)
ON CONFLICT (name) DO UPDATE SET ticked_at = EXCLUDED.ticked_at, plugin = EXCLUDED.plugin
WHERE known.ticked_at < EXCLUDED.ticked_at
RETURNING (xmax = 0)
"""


class Clock:
    """Looks at the schedules of this process; it asks the database only when one of them has ticked."""

    def __init__(self) -> None:
        self._due_at: dict[str, dt.datetime | None] = {}

    def look(self, now: dt.datetime | None = None) -> int:
        """Enqueue the jobs that are due, and return how many ticks this process was the one to see."""
        now = now or timezone.now()
        zone = ZoneInfo(settings.TIME_ZONE)
        seen = 0
        for name, owned in all_schedules().items():
            if name in self._due_at:
                due = self._due_at[name]
                if due is None or due > now:
                    continue
            seen += tick(owned, zone, now)
            self._due_at[name] = next_tick(owned.schedule.cron, zone, now)
        return seen


def tick(owned: OwnedSchedule, zone: ZoneInfo, now: dt.datetime) -> bool:
    """Enqueue the job of the schedule's last tick, unless that was done; tell whether it was done here.

    A schedule that was never seen begins now and makes up for nothing. Ticks while nobody worked are made up for by
    one job, or by none when the schedule skips what it missed.
    """
    at = latest_tick(owned.schedule.cron, zone, now)
    if at is None:
        return False
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(_TICK, [owned.name, owned.owner, at])
            row = cursor.fetchone()
        if row is None or row[0]:
            return False
        if owned.schedule.missed == "skip" and (now - at).total_seconds() > LATE_S:
            log.info("missed tick skipped", plugin=owned.owner, schedule=owned.name)
            return False
        with acting_as(system_actor(f"schedule {owned.name}")):
            owned.schedule.task.enqueue(**owned.schedule.arguments)
    log.info("schedule ticked", plugin=owned.owner, schedule=owned.name, at=at.isoformat())
    return True
