"""Requests to WSGI applications, and what they cost in CPU: blocks taken in turn, the least of each.

What else a machine does can only add to a block, by emptying caches; with enough blocks the least comes near the cost.
"""

from __future__ import annotations

import gc
import io
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

UNLIMITED = "1000000000/hour"
"""A rate limit that is counted and never reached."""
_UNCOUNTED = 10
"""One request that is not counted for so many that are."""

Application = Callable[[Mapping[str, Any], Callable[..., Any]], Iterable[bytes]]


@dataclass(frozen=True, slots=True)
class Request:
    """One request, as a WSGI server hands it over."""

    method: str
    path: str
    query: str = ""
    body: bytes = b""
    token: str = field(default="", repr=False)
    repeatable: bool = False
    """Whether each call has an ``Idempotency-Key`` of its own."""

    def environ(self) -> dict[str, Any]:
        """Return a new environment, with the headers that a client in a program sends."""
        found = {
            "REQUEST_METHOD": self.method,
            "PATH_INFO": self.path,
            "QUERY_STRING": self.query,
            "SCRIPT_NAME": "",
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": "8000",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "127.0.0.1",
            "HTTP_HOST": "127.0.0.1:8000",
            "HTTP_ACCEPT": "application/json",
            "HTTP_USER_AGENT": "benchmark",
            "HTTP_AUTHORIZATION": f"Bearer {self.token}",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(self.body),
            "wsgi.errors": io.StringIO(),
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }
        if self.repeatable:
            found["HTTP_IDEMPOTENCY_KEY"] = uuid4().hex
        if self.body:
            found["CONTENT_TYPE"] = "application/json"
            found["CONTENT_LENGTH"] = str(len(self.body))
        return found


def call(application: Application, request: Request) -> tuple[str, bytes]:
    """Send ``request``, read the answer to its end and close it; return status line and body."""
    started: list[str] = []
    answer = application(request.environ(), lambda status, *_: started.append(status))
    body = b"".join(answer)
    close = getattr(answer, "close", None)
    if close is not None:
        close()
    return started[0], body


def succeed(application: Application, request: Request) -> None:
    """Send ``request``; raises AssertionError unless it succeeds, as a refusal costs little and would look fast."""
    status, body = call(application, request)
    assert status.startswith("2"), (status, body)


@dataclass(slots=True)
class Contender:
    """One way to answer; ``blocks`` are CPU microseconds per request of this process, one entry a block."""

    name: str
    send: Callable[[], object]
    backends: Callable[[], Sequence[int]]
    blocks: list[float] = field(default_factory=list)
    backend_blocks: list[float] = field(default_factory=list)

    @property
    def microseconds(self) -> float:
        """Return the least CPU of this process per request."""
        return min(self.blocks)

    @property
    def backend_microseconds(self) -> float:
        """Return the least CPU of the PostgreSQL backends per request."""
        return min(self.backend_blocks)


def measure(contenders: Sequence[Contender], *, rounds: int, requests: int) -> None:
    """Run ``rounds`` blocks of ``requests`` of each contender in turn, in one thread.

    Each block begins with some requests that are not counted: the other contender and the garbage collection have left
    their data in the processor's caches, and a server is not started anew for every request either.
    """
    for contender in contenders:
        for _ in range(requests):
            contender.send()
    gc.collect()
    gc.freeze()
    for turn in range(rounds):
        # Whoever goes second finds other caches: take turns at that too.
        for contender in contenders if turn % 2 else reversed(contenders):
            gc.collect()
            pids = contender.backends()
            for _ in range(requests // _UNCOUNTED):
                contender.send()
            before_backends = backend_cpu(pids)
            before = time.process_time_ns()
            for _ in range(requests):
                contender.send()
            spent = time.process_time_ns() - before
            contender.blocks.append(spent / 1000 / requests)
            contender.backend_blocks.append((backend_cpu(pids) - before_backends) / 1000 / requests)
    gc.unfreeze()


def backend_cpu(pids: Iterable[int]) -> int:
    """Return the CPU time of processes in nanoseconds, as Linux accounts it; 0 where it does not."""
    total = 0
    for pid in pids:
        try:
            total += int(Path(f"/proc/{pid}/schedstat").read_text(encoding="ascii").split()[0])
        except OSError:
            continue
    return total
