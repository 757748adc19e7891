"""The backend behind the standard API: it hands jobs to the engine in the caller's transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.utils.module_loading import import_string

from platform_core.tasks.catalogue import all_tasks, owned
from platform_core.tasks.declaring import DEFAULT_BACKEND, PlatformTask
from platform_core.tasks.engine import Engine, Job, Submission
from platform_core.tasks.payload import make_payload
from platform_core.tasks.standard import (
    BaseTaskBackend,
    TaskError,
    TaskResult,
    TaskResultDoesNotExist,
    TaskResultStatus,
)

if TYPE_CHECKING:
    from platform_core.models import TaskRecord

ENGINE: Final = "platform_core.tasks.procrastinate_engine.ProcrastinateEngine"
_MOST_KEY = 200
_STATUS: Mapping[str, TaskResultStatus] = {
    "waiting": TaskResultStatus.READY,
    "running": TaskResultStatus.RUNNING,
    "succeeded": TaskResultStatus.SUCCESSFUL,
    "failed": TaskResultStatus.FAILED,
    "cancelled": TaskResultStatus.FAILED,
}


@cache
def engine() -> Engine:
    """Return the engine of this process: the one that the backend's option ``engine`` names, else procrastinate."""
    options = settings.TASKS[DEFAULT_BACKEND].get("OPTIONS", {})
    made: Engine = import_string(options.get("engine", ENGINE))()
    return made


class TaskBackend(BaseTaskBackend):
    """Keeps jobs in the deployment's database; a job exists exactly when the transaction that enqueued it commits."""

    task_class = PlatformTask
    supports_defer = True
    supports_async_task = False
    supports_get_result = True
    supports_priority = True

    def enqueue(self, task: Any, args: Any, kwargs: Any) -> Any:
        """Add a job to the queue of the task's owner, or return the one that waits under the same unique key.

        Raises ``InvalidTask`` for arguments that are not JSON and for a task that no enabled plugin contributes.
        """
        self.validate_task(task)
        found = owned(task)
        payload = make_payload(found.name, args, kwargs)
        submission = Submission(
            task=found.name,
            queue=found.owner,
            payload=payload,
            priority=task.priority,
            key=_key(found.name, task, payload["args"], payload["kwargs"]),
            not_before=task.run_after,
        )
        return result_of(engine().enqueue(submission), task, None)

    def get_result(self, result_id: str) -> TaskResult[..., Any]:
        """Return what is known of a job; raises TaskResultDoesNotExist."""
        from platform_core.models import TaskRecord

        job = engine().find(result_id)
        known = None if job is None else all_tasks().get(job.task)
        if job is None or known is None:
            raise TaskResultDoesNotExist(result_id)
        return result_of(job, known.task, TaskRecord.objects.filter(pk=job.id).first())


def _key(
    name: str, task: PlatformTask[Any], args: Sequence[Any], kwargs: Mapping[str, Any]
) -> str | None:
    if task.unique is None:
        return None
    key = task.unique(*args, **kwargs)
    if key is None:
        return None
    if len(key) > _MOST_KEY:
        import hashlib

        key = hashlib.sha256(key.encode()).hexdigest()
    return f"{name}:{key}"


def result_of(job: Job, task: Any, record: TaskRecord | None) -> TaskResult[..., Any]:
    """Return a job in the form of the standard API."""
    ended = job.status in ("succeeded", "failed", "cancelled")
    runs = job.attempts + (job.status == "running")
    found: TaskResult[..., Any] = TaskResult(
        task=task,
        id=job.id,
        status=_STATUS[job.status],
        enqueued_at=job.enqueued_at,
        started_at=job.started_at,
        last_attempted_at=job.started_at,
        finished_at=job.finished_at if ended else None,
        args=list(job.payload.get("args", ())),
        kwargs=dict(job.payload.get("kwargs", {})),
        backend=DEFAULT_BACKEND,
        errors=[],
        worker_ids=["worker"] * runs,
    )
    if record is not None:
        object.__setattr__(found, "_return_value", record.result)
        if record.error_class:
            text = f"See the log for error_id {record.error_id}."
            found.errors.append(TaskError(exception_class_path=record.error_class, traceback=text))
    return found
