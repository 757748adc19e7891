"""``make bench``: print CPU per request of the hand-written limit and of the platform; 1 when a goal is missed.

``make bench ARGS=depth`` measures lists of 1,000 to 1,000,000 rows at the first, middle and last page.
``make bench ARGS=exchange`` exports 1,000,000 rows, and imports.
``make bench ARGS=audit`` measures writes with and without the audit trail, and how fast it is sealed and verified.
``make bench ARGS=events`` measures how many events a process emits and delivers, ``ARGS=tasks`` jobs enqueued and run.
``make bench ARGS=plugins`` measures what 1 to 100 synthetic plugins cost instead: CPU and memory of a start, requests,
migrate, four workers, plan. All take some minutes; ``ARGS="plugins start memory"`` measures only these parts.
``--profile create`` shows where the time of a create goes.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import orjson
import psycopg

from tests.benchmarks import audit, depth, events, exchange, tasks
from tests.benchmarks.deployment import STUDENTS, Subject, benchmark_deployment
from tests.benchmarks.limit import Limit
from tests.benchmarks.measuring import Application, Contender, Request, call, measure, succeed
from tests.benchmarks.plugins import PARTS, run

GOALS = {"list of 50": 2.0, "detail": 2.5, "create": 5.0}
"""How many times the limit each may cost."""
MOST_OF_SCOPE = 1.35
"""How many times the list of somebody who sees all rows may cost that of somebody who sees those of some units."""
BULK_ITEMS = 100
STUDENTS_PATH = "/api/v1/education/students/"
_OWN = frozenset({"id", "sourced_id", "created_at", "updated_at"})
"""What differs between two students that were created alike."""


def main() -> int:
    """Run the benchmark and return the exit code."""
    options = argparse.ArgumentParser(prog="make bench", description=__doc__)
    options.add_argument(
        "what",
        nargs="*",
        help="audit, depth, events, exchange, tasks, or plugins and which parts of it: "
        + " ".join(PARTS),
    )
    options.add_argument("--rounds", type=int, help="blocks of each contender (30; others: 5)")
    options.add_argument("--requests", type=int, default=100, help="requests in a block")
    options.add_argument(
        "--profile",
        nargs="?",
        const="list",
        choices=["list", "detail", "create"],
        help="show where the time of a request goes instead (list)",
    )
    chosen = options.parse_args()
    if chosen.what == ["exchange"]:
        return exchange.run(chosen.rounds or 5)
    if chosen.what == ["depth"]:
        return depth.run(chosen.rounds or 5)
    if chosen.what == ["events"]:
        return events.run(chosen.rounds or 3)
    if chosen.what == ["tasks"]:
        return tasks.run(chosen.rounds or 3)
    if chosen.what == ["audit"]:
        return audit.run(chosen.rounds or 5, chosen.requests)
    if chosen.what:
        subject, *parts = chosen.what
        if subject != "plugins" or not set(parts) <= set(PARTS):
            options.error(f"there is nothing called {' '.join(chosen.what)}")
        return run(parts, chosen.rounds or 5)
    with benchmark_deployment() as subject:
        from tests.benchmarks.breakdown import print_breakdown

        platform, limit = _applications()
        if chosen.profile:
            names = {name.split()[0]: name for name in GOALS}
            name = names[chosen.profile]
            request = _requests(subject)[name]
            print_breakdown(name, partial(succeed, platform, request))
            return 0
        return _compare(platform, limit, subject, chosen.rounds or 30, chosen.requests)


def _applications() -> tuple[Application, Limit]:
    from platform_core.conf import settings_of
    from platform_core.wsgi import application
    from platform_identity.services.keys import key_ring
    from platform_identity.settings import IdentitySettings

    config = settings_of(IdentitySettings)
    limit = Limit(os.environ["DATABASE_URL"], key_ring().verifying, config.issuer, config.audience)
    return application, limit


def _requests(subject: Subject) -> dict[str, Request]:
    body = orjson.dumps(_student(subject))
    return {
        "list of 50": _list(subject.token),
        "detail": Request("GET", f"{STUDENTS_PATH}{subject.student_id}/", token=subject.token),
        "create": Request("POST", STUDENTS_PATH, body=body, token=subject.token, repeatable=True),
    }


def _list(token: str) -> Request:
    return Request("GET", STUDENTS_PATH, "limit=50", token=token)


def _student(subject: Subject) -> dict[str, Any]:
    return {
        "school": str(subject.school_id),
        "given_name": "Zoë",
        "family_name": "Zzz",
        "username": "zoe",
        "identifier": "Z1",
        "email": "zoe@school.example",
        "grades": ["7"],
    }


def _compare(
    platform: Application, limit: Limit, subject: Subject, rounds: int, requests: int
) -> int:
    load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    print(
        f"CPU µs per request, least of {rounds} blocks of {requests}; {STUDENTS:,} students; load {load}\n"
    )
    print(
        f"{'':34}{'limit':>8}{'ours':>8}{'ratio':>7}{'median':>8}   {'PostgreSQL: limit':>17}{'ours':>8}"
    )
    goals = [*_against_limit(platform, limit, subject, rounds, requests)]
    goals.append(_scope(platform, subject, rounds, requests))
    _print_bulk(platform, subject, max(rounds // 3, 2))
    print()
    for name, ratio, most in goals:
        print(f"{name}: {ratio:.2f}, goal {most:g}: {'PASS' if ratio <= most else 'FAIL'}")
    return 0 if all(ratio <= most for _name, ratio, most in goals) else 1


def _against_limit(
    platform: Application, limit: Limit, subject: Subject, rounds: int, requests: int
) -> Iterator[tuple[str, float, float]]:
    for name, request in _requests(subject).items():
        _require_same_answer(platform, limit, request)
        by_hand = Contender(name, partial(succeed, limit, request), _backends_of_limit(limit))
        ours = Contender(name, partial(succeed, platform, request), _backends_of_platform())
        first = Contender(name, _first_time(platform, request), _backends_of_platform())
        measure([by_hand, ours, first], rounds=rounds, requests=requests)
        _print_row(name, by_hand, ours)
        _print_row("  a token not seen before", by_hand, first)
        yield name, ours.microseconds / by_hand.microseconds, GOALS[name]


def _scope(
    platform: Application, subject: Subject, rounds: int, requests: int
) -> tuple[str, float, float]:
    """Measure a list of somebody who sees the rows of some units against one of somebody who sees all."""
    whole, scoped = (
        Contender(name, partial(succeed, platform, _list(token)), _backends_of_platform())
        for name, token in (("all", subject.everywhere), ("units", subject.token))
    )
    measure([whole, scoped], rounds=rounds, requests=requests)
    print(
        f"\n{'':34}{'all':>8}{'units':>8}{'ratio':>7}{'median':>8}   {'PostgreSQL: all':>17}{'units':>8}"
    )
    _print_row("list of 50, rows of some units", whole, scoped)
    return "object scope", scoped.microseconds / whole.microseconds, MOST_OF_SCOPE


def _print_bulk(platform: Application, subject: Subject, rounds: int) -> None:
    body = orjson.dumps({"items": [_student(subject)] * BULK_ITEMS})
    request = Request("POST", f"{STUDENTS_PATH}bulk/create/", body=body, token=subject.token)
    status, answer = call(platform, request)
    if orjson.loads(answer).get("succeeded") != BULK_ITEMS:
        sys.exit(f"The bulk call failed: {status} {answer[:500]!r}")
    bulk = Contender("bulk", partial(succeed, platform, request), _backends_of_platform())
    measure([bulk], rounds=rounds, requests=10)
    row = bulk.microseconds / BULK_ITEMS
    in_database = bulk.backend_microseconds / BULK_ITEMS
    print(
        f"\nbulk create of {BULK_ITEMS}: {row:.0f} µs a row, {in_database:.0f} in PostgreSQL;"
        f" {1e6 / (row + in_database):.0f} rows per second of CPU"
    )


def _print_row(name: str, first: Contender, second: Contender) -> None:
    pairs = zip(first.blocks, second.blocks, strict=True)
    median = statistics.median(after / before for before, after in pairs)
    print(
        f"{name:34}{first.microseconds:8.0f}{second.microseconds:8.0f}"
        f"{second.microseconds / first.microseconds:7.2f}{median:8.2f}   "
        f"{first.backend_microseconds:17.0f}{second.backend_microseconds:8.0f}"
    )


def _first_time(platform: Application, request: Request) -> Callable[[], object]:
    """Return a call whose token has to be verified anew each time."""
    from platform_identity.services import tokens

    def send() -> None:
        tokens._verified.clear()
        succeed(platform, request)

    return send


def _require_same_answer(platform: Application, limit: Limit, request: Request) -> None:
    """Exit when the two do not answer alike, byte for byte; a created row has an id and times of its own."""
    ours, by_hand = call(platform, request), call(limit, request)
    same = ours == by_hand
    if request.method == "POST":
        same = ours[0] == by_hand[0] and _common(ours[1]) == _common(by_hand[1])
    if not same or ours[0][0] != "2":
        sys.exit(f"The answers differ:\n{ours[0]} {ours[1]!r}\n{by_hand[0]} {by_hand[1]!r}")
    stranger = Request(request.method, request.path, request.query, request.body, token="x")
    for application in (platform, limit):
        if not call(application, stranger)[0].startswith("401"):
            sys.exit("A token that was never issued was not refused.")


def _common(body: bytes) -> list[tuple[str, Any]]:
    return [pair for pair in orjson.loads(body).items() if pair[0] not in _OWN]


def _backends_of_limit(limit: Limit) -> Callable[[], Sequence[int]]:
    pids = [limit.connection.info.backend_pid]
    return lambda: pids


def _backends_of_platform() -> Callable[[], Sequence[int]]:
    def pids() -> Sequence[int]:
        with psycopg.connect(os.environ["DATABASE_URL"], application_name="limit") as watcher:
            rows = watcher.execute(
                "SELECT pid FROM pg_stat_activity"
                " WHERE backend_type = 'client backend' AND application_name <> 'limit'"
            )
            return [pid for (pid,) in rows]

    return pids


if __name__ == "__main__":
    sys.exit(main())
