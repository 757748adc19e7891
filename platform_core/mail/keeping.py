"""How long mails are kept: what they said for days at most, that they were sent for weeks."""

from __future__ import annotations

import datetime as dt
from typing import Final

from platform_core.models import MailMessage

State = MailMessage.State
UNSENT_KEPT_DAYS: Final = 7
"""What a mail that failed says is erased then; nobody can send it again afterwards."""
MAILS_KEPT_DAYS: Final = 30
_AT_ONCE: Final = 10_000


def forget_mails(now: dt.datetime) -> int:
    """Remove mails that are long over, erase what failed ones said, and return how many are gone."""
    failed = MailMessage.objects.filter(
        state=State.FAILED, created_at__lt=now - dt.timedelta(days=UNSENT_KEPT_DAYS)
    )
    failed.filter(payload__isnull=False).update(payload=None)
    over = MailMessage.objects.exclude(state=State.QUEUED).filter(
        created_at__lt=now - dt.timedelta(days=MAILS_KEPT_DAYS)
    )
    ids = list(over.order_by("created_at").values_list("pk", flat=True)[:_AT_ONCE])
    MailMessage.objects.filter(pk__in=ids).delete()
    return len(ids)
