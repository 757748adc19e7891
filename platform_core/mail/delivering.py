"""The task that sends one mail that is kept: at least once, always under the same Message-ID."""

from __future__ import annotations

import json
from email.utils import format_datetime, parseaddr
from typing import Final

import structlog
from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.db.models import F
from django.utils import timezone

from platform_core.conf import core_settings
from platform_core.mail.catalogue import mail_named
from platform_core.mail.failures import MailFailed, MailNotSent, MailRefused, failure_of
from platform_core.mail.rendering import render
from platform_core.models import MailMessage
from platform_core.tasks.declaring import Retry, task
from platform_core.tasks.engine import Job
from platform_core.tasks.execution import Outcome

log = structlog.get_logger("platform_core.mail")

RETRY: Final = Retry(attempts=8, wait_s=30, backoff=3, max_wait_s=3600, on=(MailNotSent,))
"""Eight attempts in about three hours: what is wrong with a server is mostly mended by then."""
State = MailMessage.State


@task(atomic=False, retry=RETRY)
def deliver_mail(mail_id: str) -> None:
    """Send a mail, and erase what it said; one that was sent already, or whose content was erased, is left alone."""
    kept = MailMessage.objects.filter(pk=mail_id, payload__isnull=False).first()
    if kept is None:
        return
    kept.attempts, kept.attempted_at = kept.attempts + 1, timezone.now()
    MailMessage.objects.filter(pk=kept.pk).update(
        attempts=F("attempts") + 1, attempted_at=kept.attempted_at
    )
    failure = _attempt(kept)
    if failure is None:
        kept.state, kept.payload, kept.sent_at = State.SENT, None, timezone.now()
        kept.error = kept.error_id = ""
        kept.save(update_fields=["state", "payload", "sent_at", "error", "error_id"])
        log.info("mail sent", mail_id=mail_id, template=kept.template)
        return
    MailMessage.objects.filter(pk=kept.pk).update(error=failure.what)
    raise failure


def _attempt(kept: MailMessage) -> MailFailed | None:
    """Try to send; return what failed, in words that hold nothing of the mail, for errors of others might."""
    try:
        if not message_of(kept).send():
            return MailRefused("The mail was not accepted")
    except (
        Exception
    ) as error:  # of templates, servers and providers: whatever it is, the mail is not sent
        return failure_of(error)
    return None


def message_of(kept: MailMessage) -> EmailMultiAlternatives:
    """Return a mail that is kept as it goes out: the same at each attempt."""
    known = json.loads(kept.payload or "")
    cls = mail_named(kept.template).mail
    shown = render(cls.model_validate_json(json.dumps(known["fields"])), kept.language)
    message = EmailMultiAlternatives(
        shown.subject,
        shown.text,
        from_email=core_settings().email_from,
        to=[known["to"]],
        headers={
            "Message-ID": f"<{kept.pk}@{sender_domain()}>",
            "Date": format_datetime(timezone.localtime(kept.created_at)),
            "Content-Language": kept.language,
            "Auto-Submitted": "auto-generated",  # RFC 3834: no answer of a machine is wanted
        },
    )
    message.attach_alternative(shown.html, "text/html")
    return message


def sender_domain() -> str:
    """Return the domain of Message-IDs: that of the sender as the process started with it, the same at each attempt."""
    return parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")[2] or "localhost"


def settle(job: Job, outcome: Outcome) -> None:
    """Note at the mail that it was given up, in the transaction that ends its job."""
    waiting = MailMessage.objects.filter(pk=job.payload["kwargs"]["mail_id"], state=State.QUEUED)
    waiting.update(state=State.FAILED, error_id=outcome.error_id)
    if outcome.status == "cancelled":
        waiting.update(error="cancelled")
