"""Background tasks over HTTP: the newest first, to look at, to run again, to cancel; never what they were given."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django.http import Http404, HttpResponse
from django.utils.translation import gettext_lazy as _

from platform_core.audit import Event, record
from platform_core.contributions import Route
from platform_core.errors import Conflict
from platform_core.resource.filters import LIST_PARAMETERS, check_parameters
from platform_core.resource.pages import answer_page
from platform_core.resource.pagination import bad_cursor, cursor_of, limit_of
from platform_core.resource.problems import QueryRefused
from platform_core.resource.rendering import JSON, dumps
from platform_core.resource.shape import FIELDS, shape_of
from platform_core.system import descriptions
from platform_core.system.listing import only, place_of, tell_methods
from platform_core.system.performing import perform_once
from platform_core.system.permissions import CANCEL_TASKS, RETRY_TASKS, VIEW_TASKS
from platform_core.tasks.backend import engine
from platform_core.tasks.engine import FINAL, Job
from platform_core.tasks.overview import cancel_job, shown_jobs

if TYPE_CHECKING:
    from django.http import HttpRequest

STATUSES = ("waiting", "running", "succeeded", "failed", "cancelled")
_TEXT = {"type": "string"}
_MOMENT = {"type": ["string", "null"], "format": "date-time"}
PROPERTIES: dict[str, Any] = {
    "id": _TEXT,
    "plugin": _TEXT,
    "task": _TEXT,
    "status": {"type": "string", "enum": [*STATUSES]},
    "attempts": {"type": "integer"},
    "not_before": _MOMENT,
    "enqueued_at": _MOMENT,
    "finished_at": _MOMENT,
    "error_id": {"type": "string", "description": "Finds the failure in the logs."},
    "error_class": _TEXT,
}
_MOST_DIGITS = 18
"""Of a job's number: longer ones are none that the database can hold."""


def listed(request: HttpRequest) -> HttpResponse:
    """Answer one page of the jobs, the newest first."""
    if request.method == "OPTIONS":
        return tell_methods("GET, HEAD, OPTIONS")
    only(request, "GET", "HEAD")
    query = request.GET
    check_parameters(query, LIST_PARAMETERS | {FIELDS, "plugin", "status"}, {})
    shape = shape_of(query, [*PROPERTIES], ())
    limit, place = limit_of(query.get("limit")), place_of(query)
    status: Any = query.get("status")
    if status is not None and status not in STATUSES:
        raise QueryRefused("status", _("There is no such status."))
    backward, beyond = (False, None) if place is None else place
    if beyond is not None and not _is_number(beyond):
        raise bad_cursor()
    plugin = query.get("plugin")
    if plugin is not None and "\0" in plugin:
        raise QueryRefused("plugin", _("There is no such plugin."))
    loaded = engine().listed(
        queue=plugin, status=status, limit=limit + 1, beyond=beyond, backward=backward
    )
    more, jobs = len(loaded) > limit, loaded[:limit]
    jobs = jobs[::-1] if backward else jobs
    following = cursor_of([">", jobs[-1].id]) if jobs and (more or backward) else None
    known_before = more if backward else place is not None
    previous = cursor_of(["<", jobs[0].id]) if jobs and known_before else None
    return answer_page(request, shape.rows(shown_jobs(jobs)), following, previous)


def retrieve(request: HttpRequest, key: str) -> HttpResponse:
    """Answer one job."""
    if request.method == "OPTIONS":
        return tell_methods("GET, HEAD, OPTIONS")
    only(request, "GET", "HEAD")
    check_parameters(request.GET, frozenset({FIELDS}), {})
    shape = shape_of(request.GET, [*PROPERTIES], ())
    return HttpResponse(dumps(shape.rows(shown_jobs([_found(key)]))[0]), content_type=JSON)


def retry(request: HttpRequest, key: str) -> HttpResponse:
    """Let a failed or cancelled job run again."""

    def again(job: Job) -> None:
        if not engine().retry(job.id):
            raise Conflict(
                _("Only a failed or cancelled task can run again."), code="not_retryable"
            )

    return _performed(request, key, "retry", again)


def cancel(request: HttpRequest, key: str) -> HttpResponse:
    """Cancel a waiting job, or ask a running one to stop."""

    def end(job: Job) -> None:
        if job.status in FINAL or cancel_job(job.id) in ("succeeded", "failed"):
            raise Conflict(_("The task has ended; there is nothing to cancel."), code="ended")

    return _performed(request, key, "cancel", end)


def _performed(
    request: HttpRequest, key: str, action: str, perform: Callable[[Job], None]
) -> HttpResponse:
    """Do it in one transaction with its event in the audit trail, and answer the job as it is then."""
    if request.method == "OPTIONS":
        return tell_methods("OPTIONS, POST")
    only(request, "POST")

    def work() -> HttpResponse:
        job = _found(key)
        perform(job)
        record(Event(action=action, plugin=job.queue, target_type="task", target_id=job.id))
        return HttpResponse(dumps(shown_jobs([_found(key)])[0]), content_type=JSON)

    return perform_once(request, work)


def _found(key: str) -> Job:
    job = engine().find(key) if _is_number(key) else None
    if job is None:
        raise Http404
    return job


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS


ROUTES = (
    Route(
        path="tasks/",
        name="tasks",
        access=VIEW_TASKS,
        view=listed,
        describe=lambda: descriptions.of_list(
            "Background tasks", PROPERTIES, ("plugin", "status"), repeat=False
        ),
    ),
    Route(
        path="tasks/<str:key>/",
        name="tasks-detail",
        access=VIEW_TASKS,
        view=retrieve,
        describe=lambda: descriptions.of_row("Background tasks", PROPERTIES),
    ),
    Route(
        path="tasks/<str:key>/retry/",
        name="tasks-retry",
        access=RETRY_TASKS,
        view=retry,
        describe=lambda: descriptions.of_action(
            "retry", "Run a failed or cancelled task again", PROPERTIES
        ),
    ),
    Route(
        path="tasks/<str:key>/cancel/",
        name="tasks-cancel",
        access=CANCEL_TASKS,
        view=cancel,
        describe=lambda: descriptions.of_action(
            "cancel", "Cancel a waiting task, or ask a running one to stop", PROPERTIES
        ),
    ),
)
