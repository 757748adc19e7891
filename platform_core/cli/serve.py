"""``platformctl run``: database, migrations, first-run steps and the web server, in the foreground."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from typing import Annotated

import typer

from platform_core.cli import boot
from platform_core.cli.deployments import (
    apply_migrations,
    held_back,
    note_configuration,
    refuse_unfit_database,
)
from platform_core.cli.output import PROBLEMS, AsJson, console, print_json, refuse, step
from platform_core.cli.schedule import BackupSchedule
from platform_core.cli.stopping import Stop, stopping
from platform_core.cli.worker import JobThreads
from platform_core.conf.deployment import Deployment
from platform_core.observability.metrics import share_metrics

READY_TIMEOUT_S = 60
STOP_TIMEOUT_S = 30
PR_SET_PDEATHSIG = 1
WORKER_CLASS = "platform_core.web_worker.BufferingWorker"


def run(
    port: Annotated[int, typer.Option(min=1, max=65535, help="The port to listen on.")] = 8000,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    workers: Annotated[int, typer.Option(min=1, help="Worker processes.")] = 2,
    threads: Annotated[int, typer.Option(min=1, help="Threads of each worker.")] = 8,
    demo: Annotated[bool, typer.Option("--demo", help="Load the plugins' demo data once.")] = False,
    as_json: AsJson = False,
) -> None:
    """Serve the deployment in the foreground until Ctrl-C; prepares everything it needs."""
    deployment = boot.load_deployment(boot.deployment_folder(None), as_json=as_json)
    _refuse_taken_port(host, port, as_json=as_json)
    with stopping() as stop, boot.database(deployment, as_json=as_json):
        share_metrics(deployment.data_dir)
        boot.set_up(deployment, as_json=as_json)
        lines = prepare(deployment, demo=demo, as_json=as_json)
        server = _start_server(host, port, workers, threads)
        schedule = BackupSchedule(deployment, before_start=_die_with_parent)
        jobs = JobThreads(deployment.core.task_threads)
        try:
            url = f"http://{host}:{port}"
            if _wait_until_ready(f"{url}/readyz", server, stop):
                _announce(url, lines, as_json=as_json)
            code = _wait(server, stop, schedule)
        finally:
            schedule.stop()
            jobs.stop()
            _stop(server)
    if code and not stop.requested:
        raise typer.Exit(PROBLEMS)
    if not as_json:
        console.print("Stopped.")


def prepare(deployment: Deployment, *, demo: bool, as_json: bool) -> list[str]:
    """Migrate when something is pending, synchronise when the plugins changed, and take the first-run steps.

    Returns the lines that the operator is to see: plugins that are held back, and what the steps say.
    """
    from platform_core.contributions import FirstRunContext
    from platform_core.registry import installed
    from platform_core.registry.ledger import is_synchronised, pending_migrations
    from platform_core.registry.synchronisation import synchronise

    refuse_unfit_database(as_json=as_json)
    if pending_migrations():
        with step("Applying migrations …", quiet=as_json):
            apply_migrations()
    elif not is_synchronised():
        synchronise()
    note_configuration("run")
    context = FirstRunContext(demo=demo, data_dir=deployment.data_dir)
    lines = [str(one) for one in held_back()]
    for entry in installed().entries["first_run"]:
        if demo or not entry.item.demo:
            with step(f"{entry.owner}: {entry.item.name} …", quiet=as_json):
                lines += entry.item.run(context)
    return lines


def _refuse_taken_port(host: str, port: int, *, as_json: bool) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            refuse(
                f"{host}:{port} cannot be listened on: {error.strerror}.",
                "Choose another port with --port, or stop what uses it.",
                code="port_taken",
                as_json=as_json,
            )


def _start_server(host: str, port: int, workers: int, threads: int) -> subprocess.Popen[bytes]:
    from django.conf import settings
    from django.db import connections

    connections.close_all()
    application = ":".join(str(settings.WSGI_APPLICATION).rsplit(".", 1))
    command = [
        sys.executable,
        *("-m", "gunicorn", application),
        *("--bind", f"{host}:{port}", "--worker-class", WORKER_CLASS),
        *("--workers", str(workers), "--threads", str(threads), "--preload"),
        *("--graceful-timeout", "20", "--log-level", "warning"),
    ]
    return subprocess.Popen(  # noqa: S603  (our own interpreter and arguments)
        command, start_new_session=True, preexec_fn=_die_with_parent
    )


_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None
"""Loaded before there are threads: a process forked from one among several must not load anything."""


def _die_with_parent() -> None:
    """Ask Linux to end the server when this process is killed; elsewhere nothing."""
    if _LIBC is not None:
        _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def _wait_until_ready(url: str, server: subprocess.Popen[bytes], stop: Stop) -> bool:
    deadline = time.monotonic() + READY_TIMEOUT_S
    while server.poll() is None and not stop.requested and time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310  # nosec B310  (our own address)
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    return False


def _announce(url: str, lines: list[str], *, as_json: bool) -> None:
    if as_json:
        print_json({"ok": True, "url": url, "docs": f"{url}/api/docs/", "lines": lines})
        return
    console.print()
    console.print(f"[bold green]Ready:[/] {url}/api/docs/  (Ctrl-C stops it)", highlight=False)
    for line in lines:
        console.print(f"  {line}", markup=False, highlight=False)


def _wait(server: subprocess.Popen[bytes], stop: Stop, schedule: BackupSchedule) -> int:
    while not stop.requested:
        schedule.tick()
        try:
            return server.wait(timeout=0.5)
        except subprocess.TimeoutExpired:
            continue
    return 0


def _stop(server: subprocess.Popen[bytes]) -> None:
    if server.poll() is None:
        server.terminate()
        try:
            server.wait(timeout=STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()
