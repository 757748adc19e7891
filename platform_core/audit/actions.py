"""Actions: while one is under way, what it writes is told by its one event; outside of all, each write tells itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace

from django.core.exceptions import PermissionDenied
from django.db import DEFAULT_DB_ALIAS, transaction

from platform_core.audit.recording import AuditUnavailable, Event, write_events
from platform_core.audit.refusals import write_refusal
from platform_core.errors import DomainError

_running: ContextVar[Action | None] = ContextVar("platform_core_audit_action", default=None)


@dataclass(slots=True)
class Action:
    """What somebody is doing; ``notes`` are the names of events that happened within it."""

    event: Event | None = None
    notes: list[str] = field(default_factory=list)

    def note(self, event: Event) -> None:
        """Keep that ``event`` happened within this action; one of the same name knows more of the action itself."""
        if self.event is not None and event.action == self.event.action:
            self.event = event
        elif event.action not in self.notes:
            self.notes.append(event.action)


def is_running() -> bool:
    """Tell whether an action is under way that will tell what is written now."""
    return _running.get() is not None


@contextmanager
def running(action: Action) -> Iterator[Action]:
    """Let everything in the block be told by ``action``, whose event the caller writes; an outer one has precedence."""
    token = _running.set(_running.get() or action)
    try:
        yield action
    finally:
        _running.reset(token)


def record(event: Event, *, using: str = DEFAULT_DB_ALIAS) -> None:
    """Record ``event`` in the running transaction; within an action its name joins what that action tells.

    Raises AuditUnavailable; then the transaction must not be committed.
    """
    action = _running.get()
    if action is None:
        write_events([event], using=using)
    else:
        action.note(event)


@contextmanager
def audited(event: Event) -> Iterator[None]:
    """Do the block in one transaction with its ``event``: both, or neither and a record of the attempt.

    ``event`` says what is done when it is done; one of the same name that is recorded meanwhile takes its place. A domain error or a permission that is denied leaves a refusal, any
    other exception a failure; both are raised on. Inside another action the block is a part of that one.
    """
    if is_running():
        record(event)
        yield
        return
    action = Action(event)
    try:
        with transaction.atomic():
            with running(action):
                yield
            write_events([with_notes(action.event or event, action.notes)])
    except AuditUnavailable:
        raise
    except (DomainError, PermissionDenied) as error:
        write_refusal(event, outcome="refused", code=str(getattr(error, "code", "forbidden")))
        raise
    except Exception as error:  # whatever it is, the attempt is told of; it is raised on
        write_refusal(event, outcome="failed", code=type(error).__name__)
        raise


def with_notes(event: Event, notes: list[str]) -> Event:
    """Return ``event`` with the names of what happened within it."""
    return replace(event, details={**event.details, "notes": notes}) if notes else event
