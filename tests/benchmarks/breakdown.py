"""Where the CPU of a request goes: samples of the stack, taken by CPU time and summed by what is being done."""

from __future__ import annotations

import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

REQUESTS = 4000
_INTERVAL_S = 0.001
_TOP = 30


def print_breakdown(name: str, send: Callable[[], Any]) -> None:
    """Send ``REQUESTS`` requests and print the shares of stages, of parts of the system and of functions.

    Sampling leaves the speed of small functions as it is, which a tracing profiler would not.
    """
    for _ in range(REQUESTS // 20):
        send()
    stages: Counter[str] = Counter()
    parts: Counter[str] = Counter()
    functions: Counter[str] = Counter()

    def sample(_signal: int, frame: FrameType | None) -> None:
        stack = [(one.f_code.co_filename, one.f_code.co_name) for one in _frames(frame)]
        stages[_stage(stack)] += 1
        parts[next(filter(None, (_part(file) for file, _name in stack)), "Python")] += 1
        functions.update({f"{_short(file)} {name}" for file, name in stack if _part(file)})

    before = signal.signal(signal.SIGPROF, sample)
    signal.setitimer(signal.ITIMER_PROF, _INTERVAL_S, _INTERVAL_S)
    started = time.process_time()
    try:
        for _ in range(REQUESTS):
            send()
        microseconds = (time.process_time() - started) / REQUESTS * 1e6
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
    print(f"{name}: {microseconds:.0f} µs of CPU per request, over {REQUESTS} in a row")
    _print("CPU by stage", stages, stages.total())
    _print("CPU by part of the system", parts, parts.total())
    _print("CPU by function, with what it calls", functions, stages.total())


def _frames(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


def _print(title: str, counted: Counter[str], total: int) -> None:
    print(f"\n{title} ({total} samples)\n")
    for name, count in counted.most_common(_TOP):
        print(f"{count / total:7.1%}  {name}")


_STAGES = {
    ("tokens.py", "verify_access_token"): "verify the token",
    ("selectors.py", "signed_in"): "session, user and grants: one query",
    ("models/inserts.py", "insert_recorded"): "the row and its history: one statement",
    ("resource/idempotency.py", "claim"): "take the idempotency key",
    ("resource/idempotency.py", "keep"): "keep the answer",
    ("resource/related.py", "kept_row"): "find what is referred to",
    ("resource/decoding.py", "decode"): "decode the body",
    ("resource/writes.py", "verified"): "read the row as it was written",
    ("resource/writes.py", "require"): "decide on the new row",
    ("django/db/transaction.py", "__exit__"): "commit",
    ("representation.py", "rows"): "rows into JSON objects",
    ("rendering.py", "dumps"): "encode JSON",
    ("pagination.py", "encode"): "the next cursor",
    ("resource/reads.py", "envelope"): "links and response",
    ("observability/middleware.py", "_write"): "the log line",
    ("psycopg_pool/pool.py", "getconn"): "take a connection",
    ("base/base.py", "connect"): "take a connection",
    ("psycopg_pool/pool.py", "putconn"): "give the connection back",
    ("django/db/__init__.py", "close_old_connections"): "give the connection back",
    ("django/http/response.py", "close"): "close the response",
    ("urls/resolvers.py", "resolve"): "resolve the URL",
    ("requests.py", "actor_of"): "authentication, besides",
    ("platform_core/prepared.py", "fetch_prepared"): "the query: execute and decode",
    ("resource/statements.py", "prepared_statement"): "scope: the compiled statement",
    ("resource/reads.py", "list"): "the list, besides",
    ("resource/base.py", "dispatch"): "the resource, besides",
    ("handlers/base.py", "_get_response"): "the view's call",
    ("django/http/request.py", "__init__"): "make the request",
    ("handlers/wsgi.py", "__init__"): "make the request",
    ("handlers/base.py", "get_response"): "middleware",
    ("handlers/wsgi.py", "__call__"): "handler",
}


def _stage(stack: list[tuple[str, str]]) -> str:
    for file, name in stack:
        for (end, function), stage in _STAGES.items():
            if name == function and file.endswith(end):
                return stage
    return "the benchmark itself"


_PARTS = {
    "/psycopg_pool/": "connection pool",
    "/psycopg/": "psycopg",
    "/django/db/models/": "Django: building SQL",
    "/django/db/": "Django: database backend",
    "/django/middleware/": "Django: middleware",
    "/django/contrib/": "Django: middleware",
    "/allauth/": "Django: middleware",
    "/whitenoise/": "Django: middleware",
    "/django/utils/translation/": "Django: middleware",
    "/django/utils/deprecation": "Django: middleware",
    "/django/core/handlers/": "Django: handler",
    "/django/http/": "Django: request and response",
    "/django/urls/": "Django: routing",
    "/django/dispatch/": "Django: signals",
    "/django/": "Django: other",
    "/rest_framework/": "REST framework",
    "/structlog/": "logging",
    "/logging/": "logging",
    "/concurrent_log_handler": "logging",
    "/platform_core/observability/": "logging",
    "/platform_core/access/": "access",
    "/platform_core/resource/": "resource",
    "/platform_identity/": "identity",
    "/tests/benchmarks/": "the benchmark itself",
}


def _part(file: str) -> str | None:
    return next((part for fragment, part in _PARTS.items() if fragment in file), None)


def _short(file: str) -> str:
    for start in ("/site-packages/", "/plugins/identity/"):
        if start in file:
            return file.split(start)[-1]
    return "/".join(file.split("/")[-2:])
