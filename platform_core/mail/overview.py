"""What operators see of mails at the command line and by the checks of health, and send once more."""

from __future__ import annotations

import datetime as dt
from typing import Any, Final
from uuid import UUID

from django.db import transaction
from django.db.models import Count, Max
from django.utils import timezone

from platform_core.audit import Event, record
from platform_core.mail.failures import advice_for
from platform_core.mail.resending import resend_mail
from platform_core.models import MailMessage
from platform_core.observability.security import pseudonym

STATES: Final = tuple(MailMessage.State.values)
RECENT: Final = dt.timedelta(days=1)
_TOLD = ("id", "template", "plugin", "recipient", "language", "state", "attempts", "error")
_MOMENTS = ("created_at", "attempted_at", "sent_at")


def overview(
    *, state: str | None = None, plugin: str | None = None, to: str | None = None, limit: int = 50
) -> dict[str, Any]:
    """Return how many mails are in which state, and the newest of them; ``to`` is the address of a reader."""
    found = MailMessage.objects.all()
    if plugin is not None:
        found = found.filter(plugin=plugin)
    if to is not None:
        found = found.filter(recipient_digest=pseudonym(to.lower()))
    counts = dict.fromkeys(STATES, 0)
    for row in found.values("state").annotate(count=Count("pk")).order_by("state"):
        counts[row["state"]] = row["count"]
    listed = found if state is None else found.filter(state=state)
    rows = listed.order_by("-created_at").values(*_TOLD, *_MOMENTS, "error_id")[:limit]
    return {"counts": counts, "mails": [_plain(one) for one in rows]}


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    moments = {name: row[name].isoformat() if row[name] else None for name in _MOMENTS}
    return {**row, **moments, "id": str(row["id"])}


@transaction.atomic
def resend(mail_id: UUID | None = None) -> int:
    """Send a mail that failed once more, or all of them, and return how many; those without content are left."""
    failed = MailMessage.objects.select_for_update().filter(
        state=MailMessage.State.FAILED, payload__isnull=False
    )
    found = list(failed if mail_id is None else failed.filter(pk=mail_id))
    for one in found:
        resend_mail(one)
        target = MailMessage._meta.label_lower
        record(Event(action="resend", plugin=one.plugin, target_type=target, target_id=str(one.pk)))
    return len(found)


def recent_failures() -> str:
    """Return how many mails were given up in the last day, by what, and what to do about it; empty without any."""
    failed = MailMessage.objects.filter(
        state=MailMessage.State.FAILED, created_at__gt=timezone.now() - RECENT
    )
    rows = failed.values("error").annotate(count=Count("pk"), last=Max("created_at"))
    found = list(rows.order_by("-last"))
    if not found:
        return ""
    count, error = sum(one["count"] for one in found), found[0]["error"]
    what = "1 mail" if count == 1 else f"{count} mails"
    return (
        f"{what} could not be sent in the last day, the latest by {error}. {advice_for(error)} "
        "Then: platformctl mail resend --all."
    )
