"""``make bench ARGS=audit``: what the audit trail costs a write, and how fast it is sealed and verified."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import orjson

from tests.benchmarks.deployment import Subject, benchmark_deployment
from tests.benchmarks.measuring import Contender, Request, measure, succeed

STUDENTS = 2_000
CHAIN = 100_000
STUDENTS_PATH = "/api/v1/education/students/"


def run(rounds: int, requests: int) -> int:
    """Measure and print; the numbers are for the reader, no bound is judged."""
    with benchmark_deployment(STUDENTS) as subject:
        _writes(subject, rounds, requests)
        _chain()
    return 0


def _writes(subject: Subject, rounds: int, requests: int) -> None:
    from platform_core.wsgi import application
    from tests.benchmarks.__main__ import _backends_of_platform

    new = {
        "school": str(subject.school_id),
        "given_name": "Zoë",
        "family_name": "Zzz",
        "username": "zoe",
        "identifier": "Z1",
        "email": "zoe@school.example",
        "grades": ["7"],
    }
    place = f"{STUDENTS_PATH}{subject.student_id}/"
    change = orjson.dumps({"given_name": "Zoë"})
    print(f"CPU µs per request, least of {rounds} blocks of {requests}: ours + PostgreSQL\n")
    print(
        f"{'':10}{'unaudited':>18}{'audited':>18}{'more':>7}{'writes/s unaudited':>21}{'audited':>9}"
    )
    for name, request in {
        "create": Request("POST", STUDENTS_PATH, body=orjson.dumps(new), token=subject.token),
        "update": Request("PATCH", place, body=change, token=subject.token),
    }.items():
        audited = Contender(name, partial(succeed, application, request), _backends_of_platform())
        unaudited = Contender(name, _unaudited(application, request), _backends_of_platform())
        measure([unaudited, audited], rounds=rounds, requests=requests)
        sums = [one.microseconds + one.backend_microseconds for one in (unaudited, audited)]
        shown = [
            f"{one.microseconds:9.0f} + {one.backend_microseconds:5.0f}"
            for one in (unaudited, audited)
        ]
        rates = [_rate(one.send, requests * 3) for one in (unaudited, audited)]
        print(
            f"{name:10}{shown[0]:>18}{shown[1]:>18}{sums[1] / sums[0] - 1:7.0%}{rates[0]:21.0f}{rates[1]:9.0f}"
        )


def _rate(work: Callable[[], object], times: int) -> float:
    began = time.perf_counter()
    for _ in range(times):
        work()
    return times / (time.perf_counter() - began)


def _unaudited(application: Any, request: Request) -> Callable[[], object]:
    def send() -> None:
        with _nobody_writing():
            succeed(application, request)

    return send


@contextmanager
def _nobody_writing() -> Iterator[None]:
    """Let resources forget their trail inside the block."""
    from platform_core.resource import trail

    kept, trail.write_events = trail.write_events, lambda events: None
    try:
        yield
    finally:
        trail.write_events = kept


def _chain() -> None:
    from django.conf import settings

    from platform_core.access import acting_as, system_actor
    from platform_core.audit.checkpoints import own_file
    from platform_core.audit.recording import Event, write_events
    from platform_core.audit.sealing import seal_all
    from platform_core.audit.verifying import verify

    batch = [Event(action="measured", target_id=str(n), personal={"a": "b"}) for n in range(100)]
    with acting_as(system_actor("benchmark")):
        for _ in range(CHAIN // len(batch)):
            write_events(batch)
    deployment = settings.PLATFORM.deployment
    began = time.perf_counter()
    sealed = seal_all(deployment)
    print(f"\nsealed {sealed.events / (time.perf_counter() - began):,.0f} events/s")
    began = time.perf_counter()
    verdict = verify(own_file(deployment))
    seconds = time.perf_counter() - began
    if verdict.broken is not None:
        raise SystemExit(f"The trail is broken: {verdict.broken}")
    print(f"verified {verdict.sealed / seconds:,.0f} events/s")
    tracemalloc.start()
    verify(own_file(deployment))
    peak = tracemalloc.get_traced_memory()[1]
    print(f"verifying {verdict.sealed:,} events takes {peak / 1e6:.1f} MB at most")
