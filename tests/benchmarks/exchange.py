"""``make bench ARGS=exchange``: a million students as CSV, JSON Lines and XLSX, and rows per second of writing.

The deployment is served by the server of ``platformctl run`` with one worker. What an export adds to the worker's memory is
the highest resident size during it, which Linux keeps, beyond that after exports of one school in every format.
"""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

from tests.benchmarks.deployment import Subject, benchmark_deployment
from tests.served import free_port

ROWS = 1_000_000
MOST_GROWTH_MIB = 64
WRITTEN = 500
FORMATS = ("jsonl", "csv", "xlsx")
_PIECE = 1 << 16
_START_TIMEOUT_S = 120
_PATH = "/api/v1/education/students/"


def run(rounds: int) -> int:
    """Measure, print the tables, and return the exit code: 1 when an export grows by more than it may."""
    os.environ["PLUGIN_IDENTITY_ACCESS_TTL"] = "3600"
    rows = int(os.environ.get("BENCH_EXPORT_ROWS", ROWS))
    growths = []
    with benchmark_deployment(rows) as subject, _served() as (port, worker):
        asking = _Asking(port, subject.everywhere)
        for name in FORMATS:
            asking.export(f"format={name}&school={subject.school_id}")
        base = _resident(worker, "VmRSS")
        load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
        print(f"one worker holds {base:.0f} MiB; load {load}\n", flush=True)
        print(f"{'export':8}{'rows':>12}{'MiB':>8}{'seconds':>10}{'rows/s':>10}{'growth, MiB':>14}")
        for name in FORMATS:
            _forget_peak(worker)
            started = time.perf_counter()
            size = asking.export(f"format={name}")
            seconds = time.perf_counter() - started
            growths.append(_resident(worker, "VmHWM") - base)
            print(
                f"{name:8}{rows:12,}{size / 2**20:8.0f}{seconds:10.1f}{rows / seconds:10,.0f}"
                f"{growths[-1]:14.1f}",
                flush=True,
            )
        print(f"\n{'writing':24}{'rows':>8}{'rows/s, the best':>18}")
        for told, send in (("bulk create", asking.bulk), ("import of CSV", asking.imported)):
            best = min(send(subject, turn) for turn in range(rounds))
            print(f"{told:24}{WRITTEN:8}{WRITTEN / best:18,.0f}", flush=True)
    met = max(growths) <= MOST_GROWTH_MIB
    print(
        f"\nAn export grows by {max(growths):.1f} MiB at most, goal {MOST_GROWTH_MIB}: {'PASS' if met else 'FAIL'}"
    )
    return 0 if met else 1


class _Asking:
    """Sends requests as one user."""

    def __init__(self, port: int, token: str) -> None:
        self.port = port
        self.headers = {"Authorization": f"Bearer {token}"}

    def export(self, query: str) -> int:
        """Read an export to its end and return its bytes; raises IncompleteRead when it breaks off."""
        answer = self._send("GET", f"{_PATH}export/?{query}")
        size = 0
        while piece := answer.read(_PIECE):
            size += len(piece)
        return size

    def bulk(self, subject: Subject, turn: int) -> float:
        """Create rows by one call and return its seconds."""
        items = [_row(subject, f"bulk-{turn}-{number}") for number in range(WRITTEN)]
        return self._written("bulk/create/", {"items": items}, "application/json", "succeeded")

    def imported(self, subject: Subject, turn: int) -> float:
        """Import a file of rows by one call and return its seconds."""
        rows = [_row(subject, f"import-{turn}-{number}") for number in range(WRITTEN)]
        lines = [",".join(rows[0]), *(",".join(row.values()) for row in rows)]
        return self._written("import/", "\r\n".join(lines), "text/csv", "created")

    def _written(self, part: str, body: Any, content_type: str, counted: str) -> float:
        sent = body.encode() if isinstance(body, str) else orjson.dumps(body)
        started = time.perf_counter()
        answer = self._send("POST", f"{_PATH}{part}", sent, content_type)
        found = orjson.loads(answer.read())
        seconds = time.perf_counter() - started
        assert found[counted] == WRITTEN, found
        return seconds

    def _send(self, method: str, path: str, body: bytes = b"", content_type: str = "") -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=600)
        headers = self.headers | ({"Content-Type": content_type} if content_type else {})
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        assert answer.status == 200, (answer.status, answer.read())
        return answer


def _row(subject: Subject, name: str) -> dict[str, str]:
    return {
        "school": str(subject.school_id),
        "sourced_id": name,
        "given_name": "Zoë",
        "family_name": "Zzz",
        "email": f"{name}@school.example",
    }


@contextmanager
def _served() -> Iterator[tuple[int, int]]:
    """Serve the deployment; yield the port and the process id of the worker."""
    from platform_core.cli.serve import WORKER_CLASS

    port = free_port()
    server = subprocess.Popen(
        [
            sys.executable,
            *("-m", "gunicorn", "platform_core.wsgi:application"),
            *("--bind", f"127.0.0.1:{port}", "--worker-class", WORKER_CLASS),
            *("--workers", "1", "--threads", "8", "--preload", "--log-level", "warning"),
        ],
        stdout=subprocess.DEVNULL,  # the line of each request
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait(port)
        children = Path(f"/proc/{server.pid}/task/{server.pid}/children")
        (worker,) = children.read_text(encoding="ascii").split()
        yield port, int(worker)
    finally:
        server.terminate()
        server.wait(timeout=60)


def _wait(port: int) -> None:
    deadline = time.monotonic() + _START_TIMEOUT_S
    while time.monotonic() < deadline:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            connection.request("GET", "/livez")
            if connection.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.2)
    raise AssertionError("The server did not start.")


def _resident(pid: int, name: str) -> float:
    """Return a size of the process in MiB as Linux tells it: ``VmRSS`` now, ``VmHWM`` at its highest."""
    text = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    line = next(one for one in text.splitlines() if one.startswith(f"{name}:"))
    return int(line.split()[1]) / 1024


def _forget_peak(pid: int) -> None:
    """Let the highest size begin at the present one."""
    Path(f"/proc/{pid}/clear_refs").write_text("5", encoding="ascii")
