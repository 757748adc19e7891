"""When schedules tick: local time, clocks that change, and one job for each tick however many look."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test import TransactionTestCase

from platform_core.tasks.backend import engine
from platform_core.tasks.catalogue import all_schedules
from platform_core.tasks.scheduling import Clock, tick
from platform_core.tasks.ticking import cron_problem, latest_tick, next_tick

PARIS = ZoneInfo("Europe/Paris")


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("cron", "now", "wanted"),
    [
        ("30 9 * * *", "2026-01-10 12:00", "2026-01-10 08:30"),
        ("30 9 * * *", "2026-07-10 12:00", "2026-07-10 07:30"),
        ("0 0 1 * *", "2026-07-10 12:00", "2026-06-30 22:00"),
        # The clocks skip 2:30 on 29 March 2026: it ticks at 3:30 of the new time, as much later.
        ("30 2 * * *", "2026-03-29 12:00", "2026-03-29 01:30"),
        # They show 2:30 twice on 25 October 2026: the first time counts.
        ("30 2 * * *", "2026-10-25 12:00", "2026-10-25 00:30"),
        # What runs every hour follows time itself.
        ("15 * * * *", "2026-10-25 01:20", "2026-10-25 01:15"),
        ("15 * * * *", "2026-10-25 00:20", "2026-10-25 00:15"),
        ("15 * * * *", "2026-03-29 01:20", "2026-03-29 01:15"),
        ("* * * * *", "2026-10-25 00:59", "2026-10-25 00:59"),
    ],
)
def test_the_latest_tick_is_found_in_local_time(cron: str, now: str, wanted: str) -> None:
    assert latest_tick(cron, PARIS, utc(now)) == utc(wanted)


@pytest.mark.parametrize(
    ("cron", "start", "hours", "count"),
    [
        ("30 2 * * *", "2026-03-28 12:00", 48, 2),
        ("30 2 * * *", "2026-10-24 12:00", 48, 2),
        ("0 * * * *", "2026-03-28 12:00", 48, 48),
        ("0 * * * *", "2026-10-24 12:00", 48, 48),
        ("*/20 * * * *", "2026-10-24 12:00", 48, 144),
    ],
)
def test_no_tick_is_lost_or_doubled_when_clocks_change(
    cron: str, start: str, hours: int, count: int
) -> None:
    moment, seen = utc(start), []
    while (found := next_tick(cron, PARIS, moment)) and found <= utc(start) + timedelta(
        hours=hours
    ):
        assert latest_tick(cron, PARIS, found) == found
        seen.append(found)
        moment = found

    assert (len(seen), len(set(seen))) == (count, count)


@pytest.mark.parametrize("cron", ["", "* * * *", "* * * * * *", "61 * * * *", "a b c d e"])
def test_a_wrong_expression_is_told(cron: str) -> None:
    assert cron_problem(cron)


def test_an_impossible_day_never_ticks() -> None:
    assert next_tick("0 0 30 2 *", PARIS, utc("2026-01-01 00:00")) is None


class ManyClocks(TransactionTestCase):
    """Many workers look at the clock at the same moment."""

    def test_one_job_for_each_tick(self) -> None:
        owned = all_schedules()["identity.purge_sessions"]
        night = utc("2026-11-25 02:40")
        assert not tick(owned, PARIS, night - timedelta(days=1))
        start = threading.Barrier(8)
        seen: list[bool] = []

        def look() -> None:
            start.wait()
            seen.append(tick(owned, PARIS, night))
            connection.close()

        threads = [threading.Thread(target=look) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert seen.count(True) == 1
        assert len(engine().listed(queue="identity", status=None, limit=9)) == 1


@pytest.mark.django_db
def test_ticks_that_nobody_saw_are_made_up_for_once() -> None:
    clock = Clock()
    clock.look(utc("2026-11-20 12:00"))

    assert Clock().look(utc("2026-11-25 12:00")) == 3  # two of the core, one of identity
    assert clock.look(utc("2026-11-25 12:00")) == 0
    waiting = engine().listed(queue="identity", status="waiting", limit=9)
    assert [one.task for one in waiting] == ["identity.purge_sessions"]
