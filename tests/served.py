"""A deployment that a test serves for real: ``platformctl run`` in a process of its own, spoken to over HTTP."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

START_TIMEOUT_S = 90
STOP_TIMEOUT_S = 40


@dataclass
class Reply:
    """An HTTP answer; ``document`` is its JSON."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        """The JSON of the body."""
        return json.loads(self.body)


@dataclass
class Served:
    """A running ``platformctl run``."""

    process: subprocess.Popen[str]
    url: str
    announced: dict[str, Any]
    said: str = ""
    """What it wrote to standard output after its announcement; known when it has ended."""

    def request(
        self, method: str, path: str, data: Any = None, *, token: str | None = None
    ) -> Reply:
        """Send one request and return the answer, whatever its status is."""
        headers = {"Content-Type": "application/json"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        body = None if data is None else json.dumps(data).encode()
        request = urllib.request.Request(self.url + path, body, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return Reply(answer.status, answer.headers, answer.read())
        except urllib.error.HTTPError as error:
            return Reply(error.code, error.headers, error.read())

    def sign_in(self, email: str, password: str) -> str:
        """Sign in through the API and return the access token."""
        reply = self.request(
            "POST",
            "/api/v1/identity/auth/app/v1/auth/login",
            {"email": email, "password": password},
        )
        assert reply.status == 200, reply.body
        return str(reply.document["meta"]["access_token"])

    def stop(self, number: int = signal.SIGINT) -> int:
        """Send a signal and return the exit code."""
        self.process.send_signal(number)
        return self.process.wait(timeout=STOP_TIMEOUT_S)


def owner_credentials(data_dir: Path) -> tuple[str, str]:
    """Return e-mail and password of the owner made at first start."""
    text = (data_dir / "owner-credentials.txt").read_text(encoding="utf-8")
    values = dict(line.split(": ", 1) for line in text.strip().splitlines())
    found = {name.strip().lower(): value.strip() for name, value in values.items()}
    return found["e-mail"], found["password"]


def free_port() -> int:
    """Return a loopback port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serve(
    folder: Path,
    *options: str,
    environment: Mapping[str, str] | None = None,
    python: Path | None = None,
    errors: IO[str] | None = None,
) -> Iterator[Served]:
    """Run the deployment in ``folder`` until the block ends; it is announced as ready before the block begins.

    ``python`` is the interpreter of another environment to serve from, ``errors`` a file for what it writes to standard
    error.
    """
    port = free_port()
    clean = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PLATFORM_", "PLUGIN_", "DJANGO_", "DATABASE_", "PYTEST_", "COV_"))
        and name != "PYTHONDONTWRITEBYTECODE"  # each start would compile everything again
    }
    # A pipe that nobody reads would fill up and stop the server.
    log = errors or tempfile.TemporaryFile("w+")  # noqa: SIM115  (closed when the block ends)
    process = subprocess.Popen(
        [
            str(python or sys.executable),
            "-m",
            "platform_core.cli",
            "run",
            "--json",
            "--port",
            str(port),
            *options,
        ],
        cwd=folder,
        env={**clean, **(environment or {})},
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
    )
    try:
        served = Served(process, f"http://127.0.0.1:{port}", _announcement(process, log))
        yield served
        if process.poll() is None:
            process.terminate()
            process.wait(timeout=STOP_TIMEOUT_S)
        if process.stdout:
            served.said = process.stdout.read()
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(timeout=STOP_TIMEOUT_S)
        log.close()
        if process.stdout:
            process.stdout.close()


def _announcement(process: subprocess.Popen[str], log: IO[str]) -> dict[str, Any]:
    assert process.stdout is not None
    lines: list[str] = []
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        line = process.stdout.readline()
        if not line:
            break
        lines.append(line)
        if line.rstrip() == "}":
            document: dict[str, Any] = json.loads("".join(lines))
            return document
    process.kill()
    process.wait()
    log.seek(0)
    raise AssertionError(f"It did not start: {''.join(lines)}{log.read()}")
