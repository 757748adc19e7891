"""``make bench ARGS=depth``: lists of 1,000, 100,000 and 1,000,000 rows at their first, middle and last page.

Three deployments stand side by side, each in a process of its own that is told what to send; the blocks alternate. What
counts is CPU, of the process and of PostgreSQL together: how long the machine's other work lets a request wait is no
matter of rows.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

from tests.benchmarks.deployment import benchmark_deployment
from tests.benchmarks.measuring import Request, backend_cpu, succeed

SIZES = (1_000, 100_000, 1_000_000)
PAGES = ("first", "middle", "last")
MOST_OF_ROWS = 1.2
MOST_OF_SCOPE = 1.35
REQUESTS = 100
_SCOPED = "first, rows of some units"
_PATH = "/api/v1/education/students/"


def run(rounds: int) -> int:
    """Measure, print the table and the goals, and return the exit code: 1 when one is missed."""
    load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    print(f"CPU µs of a list of 50, PostgreSQL's included; median of {rounds} blocks of {REQUESTS}")
    print(f"load {load}\n", flush=True)
    found: dict[tuple[int, str], list[float]] = {}
    with ExitStack() as stack:
        probes = {size: stack.enter_context(_probe(size)) for size in SIZES}
        for turn in range(rounds + 1):  # the first is not counted
            for page in (*PAGES, _SCOPED):
                for size, ask in probes.items():
                    microseconds = ask(page)
                    if turn:
                        found.setdefault((size, page), []).append(microseconds)
    table = {key: statistics.median(blocks) for key, blocks in found.items()}
    print(f"{'rows':>12}" + "".join(f"{page:>28}" for page in (*PAGES, _SCOPED)))
    for size in SIZES:
        row = (f"{table[size, page]:28.0f}" for page in (*PAGES, _SCOPED))
        print(f"{size:12,}{''.join(row)}")
    print()
    goals = list(_goals(table))
    for name, ratio, most in goals:
        print(f"{name}: {ratio:.2f}, goal {most:g}: {'PASS' if ratio <= most else 'FAIL'}")
    return 0 if all(ratio <= most for _name, ratio, most in goals) else 1


def _goals(table: dict[tuple[int, str], float]) -> Iterator[tuple[str, float, float]]:
    for size in SIZES[1:]:
        for page in PAGES:
            ratio = table[size, page] / table[SIZES[0], "first"]
            yield (
                f"{page} page of {size:,} rows against the first of {SIZES[0]:,}",
                ratio,
                MOST_OF_ROWS,
            )
    for size in SIZES:
        ratio = table[size, _SCOPED] / table[size, "first"]
        yield f"rows of some units among {size:,}, against all", ratio, MOST_OF_SCOPE


@contextmanager
def _probe(size: int) -> Iterator[Callable[[str], float]]:
    """Start a deployment of ``size`` rows; the function sends a block of requests and returns their CPU."""
    process = subprocess.Popen(
        [sys.executable, "-m", __name__, str(size)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    if "ready" not in process.stdout.readline():
        sys.exit(f"The deployment of {size:,} rows did not start.")

    def ask(page: str) -> float:
        print(json.dumps(page), file=process.stdin, flush=True)
        return float(process.stdout.readline())

    try:
        yield ask
    finally:
        process.stdin.close()
        process.wait()


def main() -> None:
    """Serve one deployment: send a block of requests for each line, and answer their CPU."""
    with benchmark_deployment(int(sys.argv[1])) as subject:
        from platform_core.wsgi import application

        tokens = {_SCOPED: subject.token}
        queries = {"first": "limit=50", _SCOPED: "limit=50", **_cursors()}
        sends = {
            page: partial(
                succeed,
                application,
                Request("GET", _PATH, query, token=tokens.get(page, subject.everywhere)),
            )
            for page, query in queries.items()
        }
        _say("ready")
        for line in sys.stdin:
            _say(_block(sends[json.loads(line)]))


def _block(send: Callable[[], object]) -> float:
    for _ in range(REQUESTS // 10):
        send()
    pids = _backends()
    before = time.process_time_ns() + backend_cpu(pids)
    for _ in range(REQUESTS):
        send()
    return (time.process_time_ns() + backend_cpu(pids) - before) / 1000 / REQUESTS


def _backends() -> Sequence[int]:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend'")
        pids = [pid for (pid,) in cursor.fetchall()]
    connection.close()
    return pids


def _cursors() -> dict[str, str]:
    """Return the queries of the middle and the last page: behind a row there."""
    from django.db import connection

    from platform_education.models import Student
    from platform_education.resources import StudentResource

    keyset: Any = StudentResource.keyset_of(StudentResource(), None)
    rows = Student.objects.order_by(*keyset.fields).values_list(*keyset.fields)
    count = rows.count()
    places = {"middle": rows[count // 2], "last": rows[max(count - 51, 0)]}
    connection.close()
    return {page: f"limit=50&cursor={keyset.encode(place)}" for page, place in places.items()}


def _say(what: object) -> None:
    sys.stdout.write(f"{what}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
