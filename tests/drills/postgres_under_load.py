"""Kill PostgreSQL 60 times under HTTP load: 503 with ``Retry-After``, no acknowledged write lost, no restart needed.

Each kill takes the whole server, its postmaster alone, or one of its processes, after which it recovers by itself.
"""

from __future__ import annotations

import argparse
import itertools
import os
import random
import signal
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from platform_core.services import EmbeddedPostgres, ServerInfo
from platform_core.services._processes import _processes_of
from tests.deployments import TestDeployment
from tests.drills.http_clients import HANG_S, Answer, Crowd, HttpClient, Record
from tests.drills.memory import family
from tests.served import Served, owner_credentials, serve

REFUSED_WITHIN_S = 3.0
"""What a refusal takes at the median: single ones may wait for a busy machine."""
BACK_WITHIN_S = 60.0
UNITS = "/api/v1/identity/org-units/"
LAZY = {"synchronous_commit": "off", "wal_writer_delay": "10s"}
"""A server that acknowledges before the log is written: what its memory held at a kill is lost."""
PLANTED_KILLS = 12
CLIENTS = 6
_TRIES = 200


@dataclass
class Outcome:
    """What a run of kills did."""

    kills: int = 0
    acknowledged: int = 0
    doubted: int = 0
    record: Record = field(default_factory=Record)
    recovery_s: list[float] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


class Writers:
    """What the clients do: create units with a key that makes retries safe, change one each, and read."""

    def __init__(self, token: str, shared: str) -> None:
        """Remember the owner's token; ``shared`` is a unit that all change."""
        self.record = Record()
        self.acknowledged: dict[str, str] = {}
        self.doubted: set[str] = set()
        self.changed = 0
        self._headers = {"Authorization": f"Bearer {token}"}
        self._shared = f"{UNITS}{shared}/"
        self._numbers = itertools.count()

    def work(self, client: HttpClient, number: int, chance: random.Random) -> None:
        """Do one thing, by chance."""
        drawn = chance.random()
        if drawn < 0.6:
            self._create(client)
        elif drawn < 0.8:
            self.ask(client, "GET", f"{UNITS}?limit=5")
        elif drawn < 0.9:
            self.ask(client, "GET", "/api/v1/identity/me/")
        else:
            self._change(client, f"{number}-{next(self._numbers)}")

    def ask(self, client: HttpClient, method: str, path: str, data: Any = None, **more: str) -> Answer:  # fmt: skip
        """Ask once and judge the answer."""
        answer = client.ask(method, path, data, {**self._headers, **more})
        self.record.add(answer)
        for fault in judge(answer):
            self.record.fault(f"{method} {path}: {fault}")
        return answer

    def _create(self, client: HttpClient) -> None:
        """Create one unit, again with the same key until it is certain that it was."""
        name = f"unit {next(self._numbers)} {uuid.uuid4().hex[:8]}"
        self.doubted.add(name)
        for _try in range(_TRIES):
            answer = self.ask(client, "POST", UNITS, {"name": name}, **{"Idempotency-Key": name.replace(" ", "-")})  # fmt: skip
            if answer.status == 201:
                self.acknowledged[name] = answer.document["id"]
                self.doubted.discard(name)
                return
            time.sleep(random.uniform(0.02, 0.2))  # noqa: S311
        self.record.fault(f"{name}: refused {_TRIES} times")

    def _change(self, client: HttpClient, name: str) -> None:
        if self.ask(client, "PATCH", self._shared, {"name": name}).status == 200:
            self.changed += 1


def judge(answer: Answer) -> Iterator[str]:
    """Yield what is wrong with one answer."""
    if answer.status == 0:
        yield f"no answer after {answer.seconds:.1f} s: {answer.body.decode()}"
    elif answer.seconds > HANG_S:
        yield f"answered {answer.status} after {answer.seconds:.1f} s"
    if answer.status == 503:
        if not 0 < int(answer.headers.get("Retry-After", "0")) <= REFUSED_WITHIN_S:
            yield f"503 with Retry-After {answer.headers.get('Retry-After')}"
        if answer.headers.get("Content-Type") != "application/problem+json":
            yield f"503 as {answer.headers.get('Content-Type')}"
    elif not (200 <= answer.status < 300 or _is_in_progress(answer)):
        yield f"answered {answer.status}: {answer.body[:200]!r}"


def _is_in_progress(answer: Answer) -> bool:
    """Tell whether the first call with the key has not ended yet: its client gave up, its transaction did not."""
    return answer.status == 409 and answer.document["code"] == "idempotency_in_progress"


def kill(info: ServerInfo, data: Path) -> bool:
    """Kill the whole server, its postmaster, or one other process; tell whether it has to be started again."""
    others = _processes_of(data)
    drawn = random.random()  # noqa: S311
    if drawn < 0.5:
        victims = [info.pid, *others]
    elif drawn < 0.75 or not others:
        victims = [info.pid]
    else:
        victims = [random.choice(others)]  # noqa: S311
    random.shuffle(victims)
    for pid in victims:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return info.pid in victims


def lost_or_doubled(info: ServerInfo, acknowledged: Mapping[str, str]) -> list[str]:
    """Return which acknowledged units are not there exactly once, and which of any are there twice."""
    with psycopg.connect(info.url()) as connection:
        rows = connection.execute(
            "SELECT name, count(*), min(id::text) FROM identity_orgunit WHERE name LIKE 'unit %' GROUP BY name"
        ).fetchall()
    found = {name: (count, first) for name, count, first in rows}
    lost = [one for one, id_ in acknowledged.items() if found.get(one) != (1, id_)]
    doubled = [name for name, (count, _first) in found.items() if count > 1]
    faults = [f"{len(lost)} acknowledged writes are lost: {lost[:3]}"] if lost else []
    return faults + ([f"{len(doubled)} writes were made twice: {doubled[:3]}"] if doubled else [])


def torn_histories(info: ServerInfo) -> list[str]:
    """Return a sentence when a unit's history and its version do not agree."""
    with psycopg.connect(info.url()) as connection:
        row = connection.execute(
            "SELECT count(*) FROM (SELECT u.id FROM identity_orgunit u"
            " LEFT JOIN identity_historicalorgunit h ON h.id = u.id GROUP BY u.id"
            " HAVING count(h.id) <> u.version OR max(h.version) <> u.version) torn"
        ).fetchone()
    assert row is not None
    return [f"{row[0]} units have a torn history"] if row[0] else []


@contextmanager
def served_on(folder: Path, server: EmbeddedPostgres) -> Iterator[Served]:
    """Serve a new deployment in ``folder`` on ``server`` by two processes with small pools."""
    TestDeployment(folder, "").write(plugins=["identity"])
    environment = {
        "PLATFORM_RATE_LIMIT_SIGNED_IN": "off",
        "PLATFORM_RATE_LIMIT_ANONYMOUS": "off",
        "PLATFORM_DATABASE_POOL_SIZE": "3",
        "PLUGIN_IDENTITY_ACCESS_TTL": "3600",
    }
    server.start()
    try:
        with serve(folder, "--workers", "2", "--threads", "4", environment=environment) as served:
            yield served
    finally:
        server.stop(mode="immediate")


def run_kills(
    folder: Path,
    kills: int,
    *,
    settings: Mapping[str, str] | None = None,
    plant: Mapping[str, str] | None = None,
    stop_at_fault: bool = False,
) -> Outcome:
    """Kill the database ``kills`` times under load and judge answers, writes and the server's processes.

    ``plant`` are writes that the clients claim though nobody made them.
    """
    folder.mkdir(mode=0o700)
    server = EmbeddedPostgres(folder / "var" / "postgres", settings=settings)
    (folder / "var").mkdir(mode=0o700)
    data = folder / "var" / "postgres" / "data"
    outcome = Outcome()
    with served_on(folder, server) as served:
        token = served.sign_in(*owner_credentials(folder / "var"))
        made = served.request("POST", UNITS, {"name": "shared"}, token=token)
        with psycopg.connect(server.start().url()) as connection:
            # Waits for the log of all that was written before: the ground of the drill, whatever is planted.
            connection.execute("SET synchronous_commit = on")
            connection.execute("CREATE TABLE ground ()")
        writers = Writers(token, made.document["id"])
        writers.acknowledged |= plant or {}
        outcome.record = writers.record
        processes = set(family(served.process.pid))
        crowd = Crowd(served, CLIENTS, writers.work)
        try:
            for _ in range(kills):
                time.sleep(random.uniform(0.2, 1.5))  # noqa: S311
                info = server.start()
                written = dict(writers.acknowledged)
                has_ended = kill(info, data)
                outcome.kills += 1
                time.sleep(random.uniform(0.0, 1.0))  # noqa: S311
                began = time.monotonic()
                info = server.start() if has_ended else info
                outcome.recovery_s.append(_until_served(served, token, began))
                outcome.faults += lost_or_doubled(server.start(), written)
                if stop_at_fault and outcome.faults:
                    break
        finally:
            crowd.stop()
        info = server.start()
        outcome.acknowledged, outcome.doubted = len(writers.acknowledged), len(writers.doubted)
        outcome.faults += [*crowd.failures, *writers.record.faults]
        outcome.faults += lost_or_doubled(info, writers.acknowledged)
        outcome.faults += torn_histories(info)
        if set(family(served.process.pid)) != processes:
            outcome.faults.append("a process of the web server was restarted")
    refusals = writers.record.waits.get(503, [])
    if refusals and statistics.median(refusals) > REFUSED_WITHIN_S:
        outcome.faults.append(f"refusals take {statistics.median(refusals):.1f} s")
    return outcome


def _until_served(served: Served, token: str, began: float) -> float:
    """Return how many seconds after ``began`` a write succeeds again; AssertionError when none does."""
    while (reply := served.request("POST", UNITS, {"name": "probe"}, token=token)).status != 201:
        assert time.monotonic() - began < BACK_WITHIN_S, reply.body
        time.sleep(0.05)
    return time.monotonic() - began


def main() -> int:
    """Run the drill; return 1 when a planted fault goes unseen or a real one is found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=60)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))  # noqa: S311
    options = parser.parse_args()
    random.seed(options.seed)
    print(f"seed {options.seed}")
    with tempfile.TemporaryDirectory(prefix="drill-", dir="/tmp") as name:
        folder = Path(name)
        planted = {
            "a write that nobody made": run_kills(
                folder / "claimed", 1, plant={"unit claimed": str(uuid.uuid4())}, stop_at_fault=True
            ),
            "commits that are not waited for": run_kills(
                folder / "lazy", PLANTED_KILLS, settings=LAZY, stop_at_fault=True
            ),
        }
        for title, one in planted.items():
            lost = [fault for fault in one.faults if "lost" in fault]
            print(f"planted: {title}: after {one.kills} kills: {lost or 'NOT SEEN'}", flush=True)
            if not lost:
                return 1
        outcome = run_kills(folder / "site", options.kills)
    record = outcome.record
    refused = record.waits.get(503, [0.0])
    print(
        f"{outcome.kills} kills, {outcome.acknowledged} acknowledged creates ({outcome.doubted} never certain),"
        f" answers {dict(sorted(record.statuses.items()))}\n"
        f"refusals took {statistics.median(refused):.2f} s (median), {max(refused):.2f} s (most);"
        f" served again {statistics.median(outcome.recovery_s):.2f} s after the start (median),"
        f" {max(outcome.recovery_s):.2f} s (most)"
    )
    for fault in outcome.faults:
        print(f"FAULT: {fault}")
    print("nothing lost, nothing doubled, no restart" if not outcome.faults else "FAILED")
    return 1 if outcome.faults else 0


if __name__ == "__main__":
    sys.exit(main())
