"""Look at mails, and at whether they arrive, without anybody being written to by accident."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

from django.core.mail import EmailMultiAlternatives

from platform_core.conf import core_settings
from platform_core.mail.catalogue import mail_named
from platform_core.mail.delivering import sender_domain
from platform_core.mail.failures import MailFailed, MailRefused, failure_of
from platform_core.mail.rendering import language_for, render
from platform_core.mail.trial import TrialMail


def preview(name: str, language: str, folder: Path) -> list[Path]:
    """Write the text and the HTML of a mail with its example into ``folder``, and return the files.

    Raises LookupError for a mail that there is not, and whatever its templates raise.
    """
    shown = render(mail_named(name).mail.example(), language)
    folder.mkdir(parents=True, exist_ok=True)
    files = {
        folder / f"{name}.{language}.txt": f"Subject: {shown.subject}\n\n{shown.text}",
        folder / f"{name}.{language}.html": shown.html,
    }
    for file, content in files.items():
        file.write_text(content, encoding="utf-8")
    return list(files)


def send_trial(address: str, language: str) -> MailFailed | None:
    """Send the trial mail to ``address`` at once; return what failed, or None."""
    shown = render(TrialMail(), language_for(language))
    message = EmailMultiAlternatives(
        shown.subject,
        shown.text,
        from_email=core_settings().email_from,
        to=[address],
        headers={"Message-ID": f"<{uuid4()}@{sender_domain()}>"},
    )
    message.attach_alternative(shown.html, "text/html")
    try:
        sent = message.send()
    except Exception as error:  # of the server or the provider: the operator is told of it
        return failure_of(error)
    return None if sent else MailRefused("The mail was not accepted")
