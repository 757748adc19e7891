"""``make bench``: print CPU per request of the hand-written limit and of the platform; 1 when a list is too dear.

``make bench ARGS=plugins`` measures what 1 to 100 synthetic plugins cost instead: CPU and memory of a start, requests,
migrate, four workers, plan. It takes some minutes; ``ARGS="plugins start memory"`` measures only these parts.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import orjson
import psycopg

from tests.benchmarks.deployment import STUDENTS, Subject, benchmark_deployment
from tests.benchmarks.limit import Limit
from tests.benchmarks.measuring import Application, Contender, Request, call, measure, succeed
from tests.benchmarks.plugins import PARTS, run

MOST = 4.0
"""How many times the limit a list may cost."""
STUDENTS_PATH = "/api/v1/education/students/"
_OWN = frozenset({"id", "sourced_id", "created_at", "updated_at"})
"""What differs between two students that were created alike."""


def main() -> int:
    """Run the benchmark and return the exit code."""
    options = argparse.ArgumentParser(prog="make bench", description=__doc__)
    options.add_argument(
        "what", nargs="*", help="plugins, and which parts of it: " + " ".join(PARTS)
    )
    options.add_argument("--rounds", type=int, help="blocks of each contender (30; plugins: 5)")
    options.add_argument("--requests", type=int, default=100, help="requests in a block")
    options.add_argument("--profile", action="store_true", help="show where a list's time goes")
    chosen = options.parse_args()
    if chosen.what:
        subject, *parts = chosen.what
        if subject != "plugins" or not set(parts) <= set(PARTS):
            options.error(f"there is nothing called {' '.join(chosen.what)}")
        return run(parts, chosen.rounds or 5)
    with benchmark_deployment() as subject:
        from tests.benchmarks.breakdown import print_breakdown

        platform, limit = _applications()
        if chosen.profile:
            request = _requests(subject)["list of 50"]
            print_breakdown(partial(succeed, platform, request))
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
    new = {
        "school": str(subject.school_id),
        "given_name": "Zoë",
        "family_name": "Zzz",
        "username": "zoe",
        "identifier": "Z1",
        "email": "zoe@school.example",
        "grades": ["7"],
    }
    return {
        "list of 50": Request("GET", STUDENTS_PATH, "limit=50", token=subject.token),
        "detail": Request("GET", f"{STUDENTS_PATH}{subject.student_id}/", token=subject.token),
        "create": Request(
            "POST", STUDENTS_PATH, body=orjson.dumps(new), token=subject.token, repeatable=True
        ),
    }


def _compare(
    platform: Application, limit: Limit, subject: Subject, rounds: int, requests: int
) -> int:
    print(f"CPU µs per request, least of {rounds} blocks of {requests}; {STUDENTS:,} students\n")
    print(f"{'':34}{'limit':>8}{'ours':>8}{'ratio':>7}   {'PostgreSQL: limit':>17}{'ours':>8}")
    ratios = {}
    for name, request in _requests(subject).items():
        _require_same_answer(platform, limit, request)
        by_hand = Contender(name, partial(succeed, limit, request), _backends_of_limit(limit))
        ours = Contender(name, partial(succeed, platform, request), _backends_of_platform())
        first = Contender(name, _first_time(platform, request), _backends_of_platform())
        measure([by_hand, ours, first], rounds=rounds, requests=requests)
        ratios[name] = ours.microseconds / by_hand.microseconds
        _print_row(name, by_hand, ours)
        _print_row("  a token not seen before", by_hand, first)
    ratio = ratios["list of 50"]
    verdict = "within" if ratio <= MOST else "OVER"
    print(f"\nA list costs {ratio:.2f} times the limit: {verdict} the bound of {MOST:g}.")
    return 0 if ratio <= MOST else 1


def _print_row(name: str, limit: Contender, ours: Contender) -> None:
    print(
        f"{name:34}{limit.microseconds:8.0f}{ours.microseconds:8.0f}"
        f"{ours.microseconds / limit.microseconds:7.2f}   "
        f"{limit.backend_microseconds:17.0f}{ours.backend_microseconds:8.0f}"
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
