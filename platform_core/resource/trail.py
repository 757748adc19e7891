"""What a call to a resource leaves in the audit trail: an event for each row that it changed or was kept from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
from rest_framework.permissions import SAFE_METHODS

from platform_core.access import ANONYMOUS, acting_as
from platform_core.audit.actions import Action, with_notes
from platform_core.audit.recording import Event, Outcome, write_events
from platform_core.audit.refusals import write_refusal
from platform_core.resource.dry_run import DRY_RUN
from platform_core.resource.operations import EXCHANGE_ACTIONS, STANDARD_ACTIONS
from platform_core.resource.requests import request_id_of

if TYPE_CHECKING:
    from django.http import HttpResponse

    from platform_core.resource.base import Resource

PLAIN_NAMES = {"partial_update": "update", "destroy": "delete", "list": "view", "retrieve": "view"}
"""What an action is called in the trail, where several do the same."""
REFUSALS = frozenset({401, 403, 404, 409, 412})
"""Answers to somebody who may not do it, or not in this state. Malformed input (422 and others) and 429 are no attempts."""
NO_ATTEMPTS = frozenset({"idempotency_in_progress"})


class Trail(Action):
    """Collects what one unsafe call did, and writes it in the call's transaction."""

    __slots__ = ("_events", "_view")

    def __init__(self, view: Resource) -> None:
        super().__init__()
        self._view = view
        self._events: list[Event] = []

    def done(self, target: object, **details: Any) -> None:
        """Keep that the action was done to the row ``target``; its notes go with it."""
        event = event_of(self._view, target, details=details)
        self._events.append(with_notes(event, list(self.notes)))
        self.notes.clear()

    def refused(self, target: object, status: int, code: str) -> None:
        """Keep that one item of a bulk call was refused; the call itself goes on."""
        self.notes.clear()
        outcome = outcome_of(status, code)
        if outcome is not None:
            self._events.append(event_of(self._view, target, outcome=outcome, code=code))

    def write(self) -> None:
        """Write everything that was kept; raises AuditUnavailable."""
        write_events(self._events)

    def write_refused(self) -> None:
        """Record only what was refused, after the rollback of all."""
        for event in self._events:
            if event.outcome != "done":
                write_refusal(event, outcome=event.outcome, code=event.code)


def outcome_of(status: int, code: str) -> Outcome | None:
    """Return how a call ended that was answered so, ``None`` when that is none of the trail's business."""
    if status == 500:
        return "failed"
    return "refused" if status in REFUSALS and code not in NO_ATTEMPTS else None


def event_of(
    view: Resource,
    target: object,
    *,
    outcome: Outcome = "done",
    code: str = "",
    details: dict[str, Any] | None = None,
) -> Event:
    """Return the event of what ``view`` does to the row ``target``."""
    action = str(view.action)
    return Event(
        action=PLAIN_NAMES.get(action, action),
        plugin=view.slug,
        target_type=view.model._meta.label_lower,
        target_id="" if target is None else str(target),
        outcome=outcome,
        code=code,
        reason=_reason(view),
        details=details or {},
    )


def _reason(view: Resource) -> str:
    """Return the reason that an operation, or a return to an earlier version, was given; a field may be called so too."""
    if view.action in STANDARD_ACTIONS | EXCHANGE_ACTIONS:
        return ""
    body = getattr(view, "body", None)
    found = body.get("reason") if isinstance(body, dict) else None
    return found if isinstance(found, str) else ""


def record_read(view: Resource) -> None:
    """Record a read that the resource declares to be one that leaves a trace."""
    write_events([event_of(view, view.kwargs.get("id"))])


def record_refusal(view: Resource, response: HttpResponse, trail: Trail | None) -> None:
    """Record, after the rollback, that an unsafe call was refused or has failed; a call that only tries leaves nothing."""
    if view.request.GET.get(DRY_RUN) == "true":
        return
    actor = getattr(view, "actor", ANONYMOUS)
    with acting_as(actor, request_id=request_id_of(view.request)):
        if trail is not None and (view.is_bulk or view.action == "import"):
            trail.write_refused()
        code = code_of(response)
        outcome = outcome_of(response.status_code, code)
        if outcome is not None:
            write_refusal(event_of(view, view.kwargs.get("id")), outcome=outcome, code=code)


def record_route_refusal(view: Any, response: HttpResponse) -> None:
    """Record that an unsafe call to a route that is no resource was refused or has failed."""
    request = view.request
    code = code_of(response)
    outcome = outcome_of(response.status_code, code)
    if request.method in SAFE_METHODS or outcome is None:
        return
    match = request.resolver_match
    event = Event(
        action=str(request.method).lower(),
        plugin=view.slug,
        target_type="route",
        target_id="" if match is None else match.view_name,
    )
    with acting_as(getattr(view, "actor", ANONYMOUS), request_id=request_id_of(request)):
        write_refusal(event, outcome=outcome, code=code)


def code_of(response: HttpResponse) -> str:
    """Return the code of the problem that ``response`` tells; empty when it tells none."""
    if response.headers.get("Content-Type") != "application/problem+json":
        return ""
    return str(orjson.loads(response.content).get("code", ""))
