"""Clients that ask a served deployment all the time, and keep what they were answered."""

from __future__ import annotations

import http.client
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.message import Message
from typing import Any

from tests.served import Served

HANG_S = 30.0
"""A request that has no answer by then hangs."""


@dataclass(frozen=True)
class Answer:
    """What one request was answered; status 0 when there was no answer."""

    status: int
    seconds: float
    headers: Message = field(default_factory=Message)
    body: bytes = b""

    @property
    def document(self) -> Any:
        """The JSON of the body."""
        return json.loads(self.body)


class HttpClient:
    """One connection that is kept open, and opened anew after a failure."""

    def __init__(self, served: Served) -> None:
        """Name the server; nothing is sent yet."""
        host, port = served.url.removeprefix("http://").split(":")
        self._connection = http.client.HTTPConnection(host, int(port), timeout=HANG_S)

    def ask(
        self, method: str, path: str, data: Any = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Send one request and return the answer."""
        body = None if data is None else json.dumps(data).encode()
        own = {"Content-Type": "application/json", **(headers or {})}
        began = time.monotonic()
        # The server may close an idle connection at any time; only an answer that is cut off counts.
        for attempt in (1, 2):
            reused = self._connection.sock is not None
            try:
                self._connection.request(method, path, body, own)
                answer = self._connection.getresponse()
                found = answer.read()
            except (OSError, http.client.HTTPException) as error:
                self._connection.close()
                if attempt == 1 and reused and not isinstance(error, TimeoutError):
                    continue
                return Answer(0, time.monotonic() - began, body=repr(error).encode())
            seconds = time.monotonic() - began
            return Answer(answer.status, seconds, answer.headers, found)
        raise AssertionError("unreachable")

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


@dataclass
class Record:
    """What clients were answered, by status, with how long it took."""

    statuses: Counter[int] = field(default_factory=Counter)
    waits: dict[int, list[float]] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, answer: Answer) -> None:
        """Count one answer."""
        with self._lock:
            self.statuses[answer.status] += 1
            self.waits.setdefault(answer.status, []).append(answer.seconds)

    def fault(self, text: str) -> None:
        """Keep what is wrong, the first few times."""
        with self._lock:
            if len(self.faults) < 20:
                self.faults.append(text)

    def longest(self, *statuses: int) -> float:
        """Return the longest wait for one of ``statuses``, for any without."""
        found = [one for status in statuses or self.waits for one in self.waits.get(status, ())]
        return max(found, default=0.0)


class Crowd:
    """Threads that each do ``work`` with a connection of their own, again and again."""

    def __init__(
        self, served: Served, count: int, work: Callable[[HttpClient, int, random.Random], None]
    ) -> None:
        """Start the threads; ``work`` gets the client, its number and its own chance."""
        self._stop = threading.Event()
        self.failures: list[str] = []
        self._threads = [
            threading.Thread(target=self._run, args=(served, work, number), daemon=True)
            for number in range(count)
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Let each end what it does, and wait for it."""
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=4 * HANG_S)
            if thread.is_alive():
                self.failures.append("a client hangs")

    def _run(
        self,
        served: Served,
        work: Callable[[HttpClient, int, random.Random], None],
        number: int,
    ) -> None:
        client = HttpClient(served)
        chance = random.Random(number)  # noqa: S311
        try:
            while not self._stop.is_set():
                work(client, number, chance)
        except Exception as error:  # a drill whose clients die must not pass for silent
            self.failures.append(f"client {number}: {type(error).__name__}: {error}")
        finally:
            client.close()
