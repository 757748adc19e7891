"""The threads of a worker process that send webhooks: apart from those that run jobs, which wait for no receiver."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from typing import Final
from uuid import UUID, uuid4

import psycopg
import structlog
from django.db import DatabaseError, InterfaceError, close_old_connections
from psycopg_pool import PoolTimeout

from platform_core.tasks.outage import Outage
from platform_core.webhooks.delivering import send_due
from platform_core.webhooks.dispatching import claim, give_sign, lapse_s

log = structlog.get_logger("platform_core.webhooks")

FEWEST: Final = 4
"""With fewer senders there would be no room for a share of them."""
IDLE_S: Final = 0.5
AWAY_S: Final = 2.0
_SIGNS: Final = 6
"""So many signs of life are given in the time after which turns lapse."""
_GONE: Final = (DatabaseError, InterfaceError, psycopg.Error, PoolTimeout, OSError)


def senders_for(concurrency: int) -> int:
    """Return how many webhooks are sent at once beside so many jobs."""
    return max(concurrency, FEWEST)


class Senders:
    """Threads that each send to one endpoint at a time; one look-out claims endpoints for them."""

    def __init__(self, size: int, stop: threading.Event, is_ready: Callable[[], bool]) -> None:
        """Let ``size`` send at once until ``stop`` is set; while ``is_ready`` says no, nothing is begun."""
        self._size, self._stop, self._is_ready = size, stop, is_ready
        self._name = uuid4()
        self._running: set[UUID] = set()
        self._claimed: queue.SimpleQueue[UUID | None] = queue.SimpleQueue()
        self._free = threading.Event()
        self._next_sign = 0.0
        self._outage = Outage(log, "delivery of webhooks")

    def run(self) -> None:
        """Send until asked to stop, and then to the end of the attempts that have begun."""
        threads = [
            threading.Thread(target=self._serve, name=f"webhooks-{number}", daemon=True)
            for number in range(self._size)
        ]
        for thread in threads:
            thread.start()
        while not self._stop.is_set() or self._running:
            pause_s = self._look_out()
            self._free.wait(pause_s)
            self._free.clear()
        for _ in threads:
            self._claimed.put(None)
        for thread in threads:
            thread.join()

    def _look_out(self) -> float:
        """Give a sign of life, claim what is due, and return how many seconds to wait unless a sender gets free."""
        try:
            running = frozenset(self._running)
            if running and time.monotonic() >= self._next_sign:
                give_sign(self._name, running)
                self._next_sign = time.monotonic() + lapse_s() / _SIGNS
            if len(running) < self._size and self._is_ready() and not self._stop.is_set():
                for endpoint_id in claim(self._name, senders=self._size, running=running):
                    self._running.add(endpoint_id)
                    self._claimed.put(endpoint_id)
            self._outage.is_over()
        except _GONE as error:
            self._outage.goes_on("look for webhooks", error)
            return AWAY_S
        except Exception:  # the thread must not end while the worker runs
            log.exception("delivery of webhooks goes on after an error of its own")
            return AWAY_S
        finally:
            close_old_connections()
        return IDLE_S

    def _serve(self) -> None:
        while (endpoint_id := self._claimed.get()) is not None:
            try:
                send_due(endpoint_id, self._name, is_over=self._stop.is_set)
            except _GONE as error:  # its turn lapses, and then somebody goes on
                self._outage.goes_on("send webhooks", error)
            except Exception:  # the thread must serve the next endpoint
                log.exception("sending webhooks to an endpoint failed", endpoint=str(endpoint_id))
            finally:
                close_old_connections()
                self._running.discard(endpoint_id)
                self._free.set()
