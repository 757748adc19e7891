"""``platformctl worker``: run background jobs in the foreground until asked to stop."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from typing import Annotated

import typer

from platform_core.cli import boot
from platform_core.cli.deployments import ledger_problems, note_configuration
from platform_core.cli.output import PROBLEMS, AsJson, console, fail, print_json, refuse
from platform_core.cli.stopping import stopping
from platform_core.observability.metrics import share_metrics

GRACE_S = 30


def worker(
    queues: Annotated[
        list[str] | None,
        typer.Option("--queue", help="A plugin whose jobs to run; may be repeated. Else all."),
    ] = None,
    concurrency: Annotated[
        int, typer.Option(min=1, max=64, help="Jobs that run at once, each in a thread.")
    ] = 4,
    grace: Annotated[
        int,
        typer.Option(
            min=0, help="Seconds that running jobs get to end; others run them again afterwards."
        ),
    ] = GRACE_S,
    as_json: AsJson = False,
) -> None:
    """Run background jobs and schedules in the foreground until Ctrl-C or SIGTERM; any number may run."""
    deployment = boot.load_deployment(boot.deployment_folder(None), as_json=as_json)
    with stopping() as stop, boot.database(deployment, as_json=as_json):
        share_metrics(deployment.data_dir)
        boot.set_up(deployment, as_json=as_json)
        from platform_core.tasks.catalogue import queues as known_queues

        unknown = sorted(set(queues or ()) - set(known_queues()))
        if unknown:
            refuse(
                f"No enabled plugin has the queue {', '.join(unknown)}.",
                f"Choose among {', '.join(known_queues())}.",
                code="unknown_queue",
                as_json=as_json,
            )
        problems = ledger_problems()
        if problems:
            fail(problems, as_json=as_json)
        note_configuration("worker")
        jobs = JobThreads(concurrency, queues)
        _announce(queues or known_queues(), concurrency, as_json=as_json)
        while not stop.event.wait(0.5) and jobs.alive:
            pass
        in_time = jobs.stop(grace)
    if not in_time:
        # The threads of unfinished jobs cannot be ended from outside; their transactions end with the process.
        os._exit(PROBLEMS)
    if not as_json:
        console.print("Stopped.")


class JobThreads:
    """Jobs that are run in threads of this process; none when ``concurrency`` is 0."""

    def __init__(self, concurrency: int, queues: Sequence[str] | None = None) -> None:
        """Begin at once."""
        self._stop = threading.Event()
        self._thread = threading.Thread(
            target=_work, args=(self._stop, concurrency, queues), name="jobs", daemon=True
        )
        if concurrency:
            self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether jobs are being run, or may be."""
        return self._thread.is_alive()

    def stop(self, grace_s: float = GRACE_S) -> bool:
        """Let running jobs end, and tell whether they did within the time."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(grace_s)
        return not self.alive


def _work(stop: threading.Event, concurrency: int, queues: Sequence[str] | None) -> None:
    from platform_core.tasks.working import work

    work(stop, concurrency=concurrency, queues=queues)


def _announce(queues: Sequence[str], concurrency: int, *, as_json: bool) -> None:
    if as_json:
        print_json({"ok": True, "queues": queues, "concurrency": concurrency})
        return
    console.print(
        f"[bold green]Working[/] on {', '.join(queues)} (Ctrl-C stops it)", highlight=False
    )
