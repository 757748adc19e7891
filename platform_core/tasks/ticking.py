"""When a schedule ticks: cron expressions in the deployment's time zone, with clocks that are put forward and back."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from zoneinfo import ZoneInfo

from croniter import croniter

_MARGIN = dt.timedelta(hours=3)
"""More than clocks are ever put forward or back by."""


def cron_problem(expression: str) -> str:
    """Return what is wrong with a cron expression of five fields, or nothing."""
    if len(expression.split()) != 5:
        return "it does not have five fields: minute, hour, day of month, month, day of week"
    if not croniter.is_valid(expression):
        return "it is not understood"
    return ""


def latest_tick(expression: str, zone: ZoneInfo, now: dt.datetime) -> dt.datetime | None:
    """Return the last tick at or before ``now``, in UTC; None when there was none in years."""
    local = now.astimezone(zone).replace(tzinfo=None)
    walls = croniter(expression, local + _MARGIN, ret_type=dt.datetime, max_years_between_matches=9)
    found: dt.datetime | None = None
    for wall in _walls(walls, forward=False):
        # Wall clock and time disagree for hours at most: earlier ones than this cannot be later in time.
        if found is not None and wall < found.astimezone(zone).replace(tzinfo=None) - _MARGIN:
            break
        for moment in _moments(expression, wall, zone):
            if moment <= now and (found is None or moment > found):
                found = moment
    return found


def next_tick(expression: str, zone: ZoneInfo, now: dt.datetime) -> dt.datetime | None:
    """Return the first tick after ``now``, in UTC; None when there is none in years."""
    local = now.astimezone(zone).replace(tzinfo=None)
    walls = croniter(expression, local - _MARGIN, ret_type=dt.datetime, max_years_between_matches=9)
    found: dt.datetime | None = None
    for wall in _walls(walls, forward=True):
        if found is not None and wall > found.astimezone(zone).replace(tzinfo=None) + _MARGIN:
            break
        for moment in _moments(expression, wall, zone):
            if moment > now and (found is None or moment < found):
                found = moment
    return found


def _walls(walls: croniter[dt.datetime], *, forward: bool) -> Iterator[dt.datetime]:
    from croniter import CroniterBadDateError

    while True:
        try:
            yield walls.get_next(dt.datetime) if forward else walls.get_prev(dt.datetime)
        except CroniterBadDateError:
            return


def _moments(expression: str, wall: dt.datetime, zone: ZoneInfo) -> Iterator[dt.datetime]:
    """Yield the moments at which a clock on the wall shows ``wall`` and the schedule ticks.

    A schedule that runs at certain hours ticks once a day: a time that clocks skip ticks as much later, one that they
    show twice ticks the first time. One that runs every hour (``*``) follows time itself: skipped times do not tick,
    repeated ones tick twice.
    """
    first = wall.replace(tzinfo=zone, fold=0).astimezone(dt.UTC)
    if not expression.split()[1].startswith("*"):
        yield first
        return
    second = wall.replace(tzinfo=zone, fold=1).astimezone(dt.UTC)
    for moment in sorted({first, second}):
        if moment.astimezone(zone).replace(tzinfo=None) == wall:
            yield moment
