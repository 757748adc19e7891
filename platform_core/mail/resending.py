"""Send once more what was given up, once its cause is mended."""

from __future__ import annotations

from platform_core.mail.sending import hand_in
from platform_core.models import MailMessage

State = MailMessage.State


def can_be_resent(mail: MailMessage) -> bool:
    """Tell whether a mail failed and still knows what it says."""
    return mail.state == State.FAILED and bool(
        MailMessage.objects.filter(pk=mail.pk, payload__isnull=False).exists()
    )


def resend_mail(mail: MailMessage) -> None:
    """Let a worker send a mail that failed; call it in a transaction, with the row locked."""
    mail.state, mail.error_id = State.QUEUED, ""
    mail.save(update_fields=["state", "error_id"])
    hand_in(mail)
