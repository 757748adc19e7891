"""Memory of four workers with 100 plugins: loaded once and forked, against each loading for itself."""

from __future__ import annotations

import http.client
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks.plugin_parts.ground import Goal, Ground
from tests.benchmarks.probe import pss_kib
from tests.benchmarks.synthetic import slugs
from tests.deployments import TestDeployment
from tests.served import free_port

WORKERS = 4
REQUESTS = 2000
START_TIMEOUT_S = 300
PLAIN = """\
import django
from django.core.handlers.wsgi import WSGIHandler

django.setup()
application = WSGIHandler()
"""


def measure(ground: Ground, rounds: int) -> Iterator[Goal]:
    """Serve both ways, send requests to all plugins, and add up what the processes hold."""
    with ground.deployment(100) as deployment:
        answer = deployment.call("migrate", "--json", timeout_s=600)
        assert answer.code == 0, answer.out
        (deployment.folder / "plain.py").write_text(PLAIN, encoding="utf-8")
        plain = _memory(deployment, "plain:application")
        ours = _memory(deployment, "platform_core.wsgi:application", "--preload")
    print(f"each for itself: {plain:6.0f} MiB; loaded once and forked: {ours:6.0f} MiB")
    yield Goal(f"memory: {WORKERS} workers, 100 plugins, against plain", ours / plain, 0.65)


def _memory(deployment: TestDeployment, application: str, *options: str) -> float:
    """Return the MiB of a server and its workers after requests; shared memory counts once."""
    port = free_port()
    server = subprocess.Popen(
        [
            sys.executable,
            *("-m", "gunicorn", application, "--bind", f"127.0.0.1:{port}"),
            *("--workers", str(WORKERS), "--worker-class", "gthread", "--threads", "8"),
            *("--log-level", "warning", "--timeout", "300", *options),
        ],
        cwd=deployment.folder,
        env=deployment.environment(DJANGO_SETTINGS_MODULE="settings"),
    )
    try:
        _wait(port)
        names = slugs(100)
        for number in range(REQUESTS):
            assert _get(port, f"/api/v1/{names[number % 100]}/records-{number % 5}/") == 401
            assert _get(port, "/livez") == 200
        pids = [server.pid, *_children(server.pid)]
        assert len(pids) == WORKERS + 1, pids
        return sum(pss_kib(pid) for pid in pids) / 1024
    finally:
        server.terminate()
        server.wait(timeout=60)


def _get(port: int, path: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()


def _wait(port: int) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        try:
            if _get(port, "/readyz") == 200:
                return
        except OSError:
            pass
        time.sleep(0.2)
    raise AssertionError("The server did not become ready.")


def _children(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    return [int(one) for one in text.split()]
