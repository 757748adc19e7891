"""The core's own tasks and schedules: they run operations, and forget what is over."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from datetime import timedelta
from functools import cache
from typing import Any, Final

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from platform_core.audit.sealing import Sealer, seal_by
from platform_core.conf import core_settings
from platform_core.contributions import Schedule
from platform_core.events.keeping import forget_events
from platform_core.mail import delivering as mail
from platform_core.mail.keeping import forget_mails
from platform_core.models import IdempotencyRecord, Operation, TaskRecord
from platform_core.operations import files
from platform_core.operations.running import run_operation, run_operation_freely, settle
from platform_core.resource.idempotency import LIFETIME_H
from platform_core.tasks.backend import engine
from platform_core.tasks.declaring import PlatformTask, task
from platform_core.webhooks.keeping import forget_messages

SUCCEEDED_KEPT_H: Final = 24
OTHERS_KEPT_H: Final = 24 * 30
_ORPHANED_AFTER_S: Final = 86_400
_AT_ONCE: Final = 1000


@task(unique=True)
def forget_expired() -> dict[str, int]:
    """Remove what is over: answers kept for repeated calls, operations with their files, jobs and events with records, mails."""
    now = timezone.now()
    answers = IdempotencyRecord.objects.filter(created_at__lt=now - timedelta(hours=LIFETIME_H))
    forgotten, _by_model = answers.delete()
    expired = list(
        Operation.objects.filter(expires_at__lt=now, finished_at__isnull=False)
        .order_by("expires_at")
        .values_list("pk", flat=True)[:_AT_ONCE]
    )
    Operation.objects.filter(pk__in=expired).delete()
    for operation_id in expired:
        files.remove_files(operation_id)
    known = Operation.objects.values_list("pk", flat=True)
    files.remove_unknown(set(known), older_than=time.time() - _ORPHANED_AFTER_S)
    engine().purge(succeeded_h=SUCCEEDED_KEPT_H, others_h=OTHERS_KEPT_H)
    old = now - timedelta(hours=OTHERS_KEPT_H)
    TaskRecord.objects.filter(updated_at__lt=old).delete()
    events = forget_events(now - timedelta(days=core_settings().events_kept_days))
    return {
        "answers": forgotten,
        "operations": len(expired),
        "events": events,
        "webhooks": forget_messages(now),
        "mails": forget_mails(now),
    }


@task(unique=True)
def seal_audit_trail() -> dict[str, int]:
    """Seal what the audit trail has gained, and sign a checkpoint behind it."""
    sealed = seal_by(_sealer())
    return {"sealed": sealed.events, "chain": sealed.seq}


@cache
def _sealer() -> Sealer:
    """Return the sealer of this process: on a busy server it takes several runs to know that nothing is missing."""
    return Sealer(settings.PLATFORM.deployment)


def _settled(made: PlatformTask[Any], by: Callable[..., None] = settle) -> PlatformTask[Any]:
    return dataclasses.replace(made, settled=by)


TASKS: tuple[PlatformTask[Any], ...] = (
    forget_expired,
    seal_audit_trail,
    _settled(run_operation),
    _settled(run_operation_freely),
    _settled(mail.deliver_mail, by=mail.settle),
)
SCHEDULES = (
    Schedule(
        name="platform_core.forget_expired",
        title=_("Forget what has expired"),
        task=forget_expired,
        cron="17 * * * *",
    ),
    Schedule(
        name="platform_core.seal_audit_trail",
        title=_("Seal the audit trail"),
        task=seal_audit_trail,
        cron="* * * * *",
    ),
)
