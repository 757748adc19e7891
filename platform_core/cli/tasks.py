"""``platformctl tasks``: look at background jobs, and cancel or retry them."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from platform_core.cli import boot
from platform_core.cli.output import AsJson, console, print_json, refuse, table

app = typer.Typer(no_args_is_help=True, help="Look at background jobs, and cancel or retry them.")

JobId = Annotated[str, typer.Argument(help="The number of the job, as tasks list shows it.")]
STATUSES = ("waiting", "running", "succeeded", "failed", "cancelled")


@app.command("list")
def list_jobs(
    plugin: Annotated[str | None, typer.Option(help="Only jobs of this plugin.")] = None,
    status: Annotated[
        str | None, typer.Option(help=f"Only jobs that are {', '.join(STATUSES)}.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="The newest so many.")] = 50,
    as_json: AsJson = False,
) -> None:
    """Show how many jobs each plugin has, the schedules, and the newest jobs."""
    if status is not None and status not in STATUSES:
        raise typer.BadParameter(f"It is one of {', '.join(STATUSES)}.", param_hint="--status")
    with boot.set_up_with_database(as_json=as_json):
        from platform_core.tasks.overview import overview

        found = overview(plugin=plugin, status=status, limit=limit)
    if as_json:
        print_json({"ok": True, **found})
        return
    counts = table("Jobs", "plugin", *STATUSES)
    for slug, own in found["counts"].items():
        counts.add_row(slug, *(str(own.get(one, 0)) for one in STATUSES))
    console.print(counts)
    schedules = table("Schedules", "name", "cron", "last", "next")
    for one in found["schedules"]:
        schedules.add_row(one["name"], one["cron"], one["last"] or "never", one["next"] or "never")
    console.print(schedules)
    jobs = table("Newest", "job", "task", "status", "attempts", "enqueued", "error")
    for one in found["jobs"]:
        jobs.add_row(
            one["id"],
            one["task"],
            one["status"],
            str(one["attempts"]),
            one["enqueued_at"] or "",
            one["error_id"],
        )
    console.print(jobs)
    console.print(f"{found['workers']} workers alive.")


@app.command("cancel")
def cancel(job: JobId, as_json: AsJson = False) -> None:
    """Cancel a waiting job, or ask a running one to stop."""
    with boot.set_up_with_database(as_json=as_json):
        from platform_core.tasks.overview import cancel_job

        status = cancel_job(job)
    if status is None:
        _unknown(job, as_json=as_json)
    if status in ("succeeded", "failed"):
        refuse(
            f"Job {job} has ended: {status}.",
            "There is nothing to cancel.",
            code="ended",
            as_json=as_json,
        )
    _say({"job": job, "status": status}, f"Job {job}: {status}.", as_json=as_json)


@app.command("retry")
def retry(job: JobId, as_json: AsJson = False) -> None:
    """Let a failed or cancelled job run again."""
    with boot.set_up_with_database(as_json=as_json):
        from platform_core.tasks.backend import engine

        queued = engine().retry(job)
    if not queued:
        refuse(
            f"There is no failed or cancelled job {job}.",
            "See platformctl tasks list --status failed.",
            code="not_retryable",
            as_json=as_json,
        )
    _say({"job": job, "status": "waiting"}, f"Job {job} waits again.", as_json=as_json)


def _unknown(job: str, *, as_json: bool) -> None:
    refuse(
        f"There is no job {job}.",
        "See platformctl tasks list.",
        code="unknown_job",
        as_json=as_json,
    )


def _say(document: dict[str, Any], text: str, *, as_json: bool) -> None:
    if as_json:
        print_json({"ok": True, **document})
    else:
        console.print(text, markup=False, highlight=False)
