"""Run an operation in a worker: as whoever asked for it, if they still may."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import Any, BinaryIO
from uuid import UUID

from django.db import transaction
from django.utils import timezone
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from platform_core.access import Actor, current_actor
from platform_core.access.grants import installed_grant_source
from platform_core.audit.recording import write_events
from platform_core.errors import Forbidden, NotFound
from platform_core.models import Operation
from platform_core.operations import files
from platform_core.operations.declaring import BackgroundFunction
from platform_core.operations.starting import event_of
from platform_core.resource.dry_run import undo
from platform_core.tasks.context import Cancelled, Context
from platform_core.tasks.declaring import task
from platform_core.tasks.engine import Job
from platform_core.tasks.execution import Outcome

_FINAL = (Operation.State.SUCCEEDED, Operation.State.FAILED, Operation.State.CANCELLED)


class RunningOperation:
    """What a function that runs as an operation gets: who asked, its files, progress and cancellation."""

    def __init__(self, operation: Operation, context: Context) -> None:
        self.id: UUID = operation.pk
        self.kind = operation.kind
        self.dry_run = operation.dry_run
        """Whether all that is written to the database is undone at the end."""
        self.actor: Actor = current_actor()
        self._context = context
        self._operation = operation

    def progress(self, done: int, total: int = 0, note: str = "") -> None:
        """Say how far it is; stops by ``Cancelled`` when it was asked to."""
        self._context.progress(done, total, note)

    def check(self) -> None:
        """Stop by ``Cancelled`` when it was asked to."""
        self._context.check()

    def open_input(self) -> BinaryIO:
        """Open the file that was given with the call; raises NotFound when there is none (any more)."""
        try:
            return files.input_of(self.id).open("rb")
        except FileNotFoundError as error:
            raise NotFound(_("The file of this operation is gone; start it again.")) from error

    @contextmanager
    def result_file(self, name: str, content_type: str) -> Iterator[BinaryIO]:
        """Open the one file that whoever asked may fetch afterwards, under ``name``; streamed to nobody else."""
        with files.writing_result(self.id) as (token, target):
            yield target
            size = target.tell()
        self._operation.file_name, self._operation.file_type = name[:200], content_type[:100]
        self._operation.file_token, self._operation.file_size = token, size


@task(takes_context=True)
def run_operation(
    context: Context, operation_id: str, function: str, arguments: Mapping[str, Any]
) -> None:
    """Run an operation; all that it does and its end are one transaction."""
    _run(context, operation_id, function, arguments)


@task(takes_context=True, atomic=False)
def run_operation_freely(
    context: Context, operation_id: str, function: str, arguments: Mapping[str, Any]
) -> None:
    """Run an operation that only reads, or that may be repeated."""
    _run(context, operation_id, function, arguments)


def _run(context: Context, operation_id: str, function: str, arguments: Mapping[str, Any]) -> None:
    operation = Operation.objects.filter(pk=operation_id).first()
    if operation is None or operation.state in _FINAL:
        return
    if operation.cancel_requested:
        raise Cancelled
    _refuse_who_left()
    found = import_string(function)
    if not isinstance(found, BackgroundFunction):
        raise TypeError(f"{function} is not marked by platform_core.operations.background.")
    running = RunningOperation(operation, context)
    with _undone() if operation.dry_run else nullcontext():
        operation.result = found.function(running, **arguments)
    running.check()
    operation.state = Operation.State.SUCCEEDED
    operation.finished_at = timezone.now()
    operation.save(
        update_fields=[
            *("state", "result", "finished_at"),
            *("file_name", "file_type", "file_token", "file_size"),
        ]
    )
    transaction.on_commit(lambda: files.remove_input(operation.pk))


@contextmanager
def _undone() -> Iterator[None]:
    """Take back what the block writes to the database, once what a commit would check has been checked.

    Nothing else of the transaction that may be open: the end of the operation is written in it.
    """
    with transaction.atomic():
        yield
        undo()


def _refuse_who_left() -> None:
    """Raise Forbidden when whoever asked may not act any more, such as a person who was suspended since."""
    source: Any = installed_grant_source()
    may_act = getattr(source, "may_act", None)
    if may_act is not None and not may_act(current_actor()):
        raise Forbidden(_("Whoever asked for this may not act any more."))


def settle(job: Job, outcome: Outcome) -> None:
    """Note in the operation that its job ended without success, in the same transaction; its files go with the commit."""
    operation_id = job.payload["kwargs"]["operation_id"]
    operation = Operation.objects.filter(pk=operation_id).exclude(state__in=_FINAL).first()
    if operation is None:
        return
    operation.state = outcome.status
    operation.problem = _problem(operation, outcome)
    operation.finished_at = timezone.now()
    operation.save(update_fields=["state", "problem", "finished_at"])
    transaction.on_commit(lambda: files.remove_files(operation.pk))
    if outcome.status == "failed":
        status = (operation.problem or {}).get("status", 500)
        write_events(
            [
                event_of(
                    operation,
                    "run",
                    outcome="failed" if status >= 500 else "refused",
                    code=str((operation.problem or {}).get("code", "")),
                )
            ]
        )


def _problem(operation: Operation, outcome: Outcome) -> Mapping[str, Any] | None:
    if outcome.status == "cancelled" or outcome.problem is not None:
        return outcome.problem
    from platform_core.resource.problems import TYPE_PREFIX

    return {
        "type": f"{TYPE_PREFIX}internal_error",
        "title": "Internal Server Error",
        "status": 500,
        "code": "internal_error",
        "detail": _("Something went wrong here; quote the error id."),
        "request_id": operation.request_id,
        "error_id": outcome.error_id,
    }
