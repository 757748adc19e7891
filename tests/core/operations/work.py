"""Functions that operations of tests run."""

from __future__ import annotations

import uuid
from typing import Any

from django.db import transaction
from django.utils import timezone

from platform_core.audit import Event, record
from platform_core.errors import Conflict
from platform_core.mail import send_mail
from platform_core.models import MailMessage
from platform_core.operations import RunningOperation, background
from platform_identity.mails import PasswordChanged
from platform_identity.models import RoleAssignment, User
from platform_identity.services.users import suspend_user
from platform_identity.testing import make_unit


@background()
def count(operation: RunningOperation, *, upto: int) -> dict[str, int]:
    for number in range(upto):
        operation.progress(number + 1, upto, "counting")
    make_unit(f"counted {upto}")
    return {"counted": upto}


@background()
def shout(operation: RunningOperation) -> dict[str, Any]:
    with (
        operation.open_input() as source,
        operation.result_file("loud.txt", "text/plain") as target,
    ):
        target.write(source.read().upper())
    return {}


@background()
def refuse(operation: RunningOperation) -> None:
    make_unit("never seen")
    raise Conflict("This cannot be.", code="cannot_be")


@background()
def crash(operation: RunningOperation) -> None:
    with operation.result_file("half.txt", "text/plain") as target:
        target.write(b"half")
    raise RuntimeError("hunter2")


committed: list[str] = []
"""What ``leave_traces`` was told after its commit."""


@background()
def leave_traces(operation: RunningOperation) -> dict[str, Any]:
    return _leave_traces(operation)


@background(atomic=False)
def leave_traces_freely(operation: RunningOperation) -> dict[str, Any]:
    return _leave_traces(operation)


def _leave_traces(operation: RunningOperation) -> dict[str, Any]:
    """Change a row, with history, an event, a mail and a job for it, and an event in the audit trail."""
    with transaction.atomic():
        user = suspend_user(user=User.objects.get(email="victim@example.org"))
        send_mail(PasswordChanged(at=timezone.now()), to=user.email)
        record(Event(action="test", plugin="identity", target_type="test", target_id="1"))
        transaction.on_commit(lambda: committed.append("done"))
    return {"mails": MailMessage.objects.count(), "dry_run": operation.dry_run}


@background()
def break_at_the_commit(operation: RunningOperation) -> None:
    """Write a reference that leads nowhere, which PostgreSQL finds at the commit."""
    user = User.objects.get(email="victim@example.org")
    everywhere = RoleAssignment.Scope.DEPLOYMENT
    RoleAssignment.objects.create(user=user, role_id=uuid.uuid4(), scope=everywhere)


def unmarked(operation: RunningOperation) -> None:
    raise AssertionError
