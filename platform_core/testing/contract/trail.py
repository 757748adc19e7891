"""What a resource leaves in the audit trail: one event for what was done, one for what was refused, none for a try."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from platform_core.access import Actor
from platform_core.audit.refusals import attempts
from platform_core.models import AuditEvent
from platform_core.resource.trail import REFUSALS
from platform_core.testing.contract.bodies import new_body
from platform_core.testing.contract.subjects import (
    Action,
    ResourceSubject,
    persona,
    stage,
    undone,
)
from platform_core.testing.factories import make

WHO = ("anonymous", "nobody", "viewer", "holder")


def check_trail(subject: ResourceSubject) -> None:
    """Assert that each write leaves exactly one event of how it ended, and none when it was only tried."""
    writes = [one for one in subject.actions() if not one.reads]
    with stage() as grants:
        attempts.forget()
        holder = persona("holder", grants, subject)
        has_body = any(one.name in ("create", "update") for one in writes)
        body = new_body(subject, holder) if has_body else {}
        row = make(subject.model)
        for who in WHO:
            actor = holder if who == "holder" else persona(who, grants, subject)
            for action in writes:
                for query in ("", "?dry_run=true"):
                    with undone():
                        _check(subject, actor, who, action, row, body, query)
                    row.refresh_from_db()


def _check(
    subject: ResourceSubject,
    actor: Actor,
    who: str,
    action: Action,
    row: Any,
    body: Any,
    query: str,
) -> None:
    if action.name == "restore":
        row.delete()
    latest = AuditEvent.objects.order_by("-id").values_list("id", flat=True).first() or 0
    given = body if action.name in ("create", "update") else {}
    status = subject.ask(actor, action, row, given, query=query).status_code
    found = list(AuditEvent.objects.filter(id__gt=latest))
    wanted = _wanted(status, query)
    told = [one.outcome for one in found]
    if told != wanted:
        tried = ", which was only tried," if query else ""
        raise AssertionError(
            f"{subject}: {action.name}{tried} answers {status} to {who} and leaves the events {told}, not {wanted}."
        )
    for one in found:
        _check_event(subject, actor, action, one)


def _wanted(status: int, query: str) -> Sequence[str]:
    if query:
        return []
    if status < 300:
        return ["done"]
    return ["refused"] if status in REFUSALS else []


def _check_event(subject: ResourceSubject, actor: Actor, action: Action, event: AuditEvent) -> None:
    expected = (actor.id, subject.slug, subject.model._meta.label_lower)
    found = (event.actor_id, event.plugin, event.target_type)
    if found != expected or not event.request_id:
        raise AssertionError(
            f"{subject}: the event of {action.name} tells {found}, not {expected} and in which request."
        )
