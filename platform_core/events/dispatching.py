"""The loop that delivers events in a worker process until it is asked to stop."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Final

import psycopg
import structlog
from django.db import DatabaseError, InterfaceError, close_old_connections
from psycopg_pool import PoolTimeout

from platform_core.events.delivering import dispatch_once
from platform_core.tasks.outage import Outage

log = structlog.get_logger("platform_core.events")

IDLE_S: Final = 0.5
AWAY_S: Final = 2.0


def dispatch_until(
    stop: threading.Event,
    owners: Sequence[str] | None = None,
    *,
    is_ready: Callable[[], bool] = lambda: True,
) -> None:
    """Deliver events to the subscriptions of ``owners``, or of all, until ``stop`` is set; the database may go away.

    While ``is_ready`` says no, nothing is delivered.
    """
    outage = Outage(log, "delivery of events")
    while not stop.is_set():
        pause_s = IDLE_S
        try:
            if is_ready() and dispatch_once(owners):
                pause_s = 0.0
            outage.is_over()
        except (DatabaseError, InterfaceError, psycopg.Error, PoolTimeout, OSError) as error:
            outage.goes_on("deliver events", error)
            pause_s = AWAY_S
        except Exception:  # the thread must not end while the worker runs
            log.exception("delivery of events goes on after an error of its own")
            pause_s = AWAY_S
        finally:
            close_old_connections()
        stop.wait(pause_s)
