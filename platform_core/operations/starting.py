"""Start an operation: its row, its file and its job, in the caller's transaction."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import IO, Any, Final

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from platform_core.access import current_actor, current_request_id
from platform_core.audit.recording import Event, Outcome, write_events
from platform_core.errors import Invalid
from platform_core.models import Operation
from platform_core.operations import files
from platform_core.operations.declaring import BackgroundFunction
from platform_core.system import SLUG
from platform_core.tasks.backend import engine
from platform_core.tasks.catalogue import CORE
from platform_core.tasks.engine import Submission
from platform_core.tasks.payload import make_payload
from platform_core.tasks.standard import InvalidTask

KEPT_DAYS: Final = 7


def start_operation(
    function: BackgroundFunction,
    arguments: Mapping[str, Any],
    *,
    kind: str,
    plugin: str,
    input_file: IO[bytes] | None = None,
    dry_run: bool = False,
) -> Operation:
    """Return a new operation that will run ``function`` as the current actor.

    ``plugin`` is the slug that the work belongs to: while it is dormant, the operation waits; that of the core's own
    resources runs with its jobs. ``arguments`` are JSON
    and hold no secret; ``input_file`` is copied. With ``dry_run`` everything that ``function`` does to the database is
    undone, and its result and file are kept. Row and job appear when the caller's transaction commits. Raises
    ``Invalid`` for arguments that are too large to keep.
    """
    actor = current_actor()
    operation = Operation(
        plugin=plugin,
        kind=kind,
        actor_id=actor.id,
        actor_kind=actor.kind,
        request_id=current_request_id() or "",
        dry_run=dry_run,
        expires_at=timezone.now() + timedelta(days=KEPT_DAYS),
    )
    name = f"{CORE}.{'run_operation' if function.atomic else 'run_operation_freely'}"
    named = {"operation_id": str(operation.pk), "function": function.path}
    try:
        payload = make_payload(name, (), {**named, "arguments": dict(arguments)})
    except InvalidTask as error:
        raise Invalid(
            _("This is too much for one call in the background; send it in parts."),
            code="too_large",
        ) from error
    queue = CORE if plugin == SLUG else plugin
    if input_file is not None:
        operation.input_size = files.keep_input(operation.pk, input_file)
    try:
        with transaction.atomic():
            job = engine().enqueue(Submission(task=name, queue=queue, payload=payload))
            operation.job_id = job.id
            operation.save(force_insert=True)
            write_events([event_of(operation, "start")])
    except BaseException:  # Ctrl-C too: no file without an operation stays
        files.remove_files(operation.pk)
        raise
    return operation


def event_of(
    operation: Operation, action: str, *, outcome: Outcome = "done", code: str = ""
) -> Event:
    """Return what the audit trail tells of an operation; what it changes is told by itself."""
    return Event(
        action=action,
        plugin=operation.plugin,
        target_type=operation._meta.label_lower,
        target_id=str(operation.pk),
        outcome=outcome,
        code=code,
        details={"kind": operation.kind, **({"dry_run": True} if operation.dry_run else {})},
    )


def cancel_operation(operation: Operation) -> None:
    """Cancel an operation that waits, or ask one that runs to stop; call it with the row locked."""
    status = engine().cancel(operation.job_id)
    if status in ("cancelled", None):
        operation.state = Operation.State.CANCELLED
        operation.finished_at = timezone.now()
        transaction.on_commit(lambda: files.remove_files(operation.pk))
    else:
        operation.cancel_requested = True
    operation.save(update_fields=["state", "finished_at", "cancel_requested"])
