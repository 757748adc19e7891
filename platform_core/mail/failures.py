"""Why a mail was not sent: whether another attempt may help, and what an operator does about it."""

from __future__ import annotations

import smtplib
import traceback
from collections.abc import Mapping

from django.db import Error as DatabaseTrouble

MOST_WORDS = 200


class MailFailed(Exception):
    """A mail was not sent; ``what`` names the cause and holds nothing of the mail."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what[:MOST_WORDS]


class MailNotSent(MailFailed):
    """Another attempt may help."""


class MailRefused(MailFailed):
    """Another attempt would end alike."""


def failure_of(error: Exception) -> MailFailed:
    """Return ``error`` as a failure whose text is ours: that of servers and templates may hold an address or a code."""
    name = type(error).__name__
    match error:
        case smtplib.SMTPRecipientsRefused():
            codes = {code for code, _text in error.recipients.values()}
            told = f"{name} {'/'.join(map(str, sorted(codes)))}"
            return (MailRefused if min(codes, default=0) >= 500 else MailNotSent)(told)
        case smtplib.SMTPDataError():
            told = f"{name} {error.smtp_code}"
            return (MailRefused if error.smtp_code >= 500 else MailNotSent)(told)
        case smtplib.SMTPResponseException():
            return MailNotSent(f"{name} {error.smtp_code}")
        case DatabaseTrouble():  # of ours, which was away for a moment
            return MailNotSent(name)
        case OSError() if not _is_of_provider(error):  # smtplib's other errors among them
            return MailNotSent(f"{name} {error.errno or ''}".strip())
    if _is_of_provider(error):
        status = getattr(error, "status_code", None)
        final = name in ("AnymailRecipientsRefused", "AnymailInvalidAddress")
        return (MailRefused if final else MailNotSent)(f"{name} {status or ''}".strip())
    return MailRefused(f"{name} at {_place(error)}")


def _is_of_provider(error: Exception) -> bool:
    return any(one.__module__.partition(".")[0] == "anymail" for one in type(error).__mro__)


def _place(error: Exception) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return "/".join(frames[-1].filename.split("/")[-2:]) + f":{frames[-1].lineno}"


_ADVICE: Mapping[str, str] = {
    "SMTPAuthenticationError": "Check user and password in PLATFORM_EMAIL_URL.",
    "SMTPSenderRefused": "Check PLATFORM_EMAIL_FROM: the server does not send for this address.",
    "SMTPRecipientsRefused": "The receiving server knows no such address, or wants nothing from here.",
    "SMTPNotSupportedError": "The server speaks no TLS; a server of this machine is written with ?tls=off.",
    "ConnectionRefusedError": "Check host and port in PLATFORM_EMAIL_URL, and that the server runs.",
    "gaierror": "Check the host in PLATFORM_EMAIL_URL: its name is not known.",
    "TimeoutError": "Check host and port in PLATFORM_EMAIL_URL, and the firewall between.",
    "SSLCertVerificationError": "The certificate of the server does not fit the host in PLATFORM_EMAIL_URL.",
    "AnymailRequestsAPIError": "Check the key in PLATFORM_EMAIL_URL, and the state of the provider.",
    "AnymailAPIError": "Check the key in PLATFORM_EMAIL_URL, and the state of the provider.",
}


def advice_for(what: str) -> str:
    """Return what an operator does about mails that failed by ``what``."""
    name, _, rest = what.partition(" ")
    if rest.startswith("at "):
        return "A template or the data behind it is wrong: platformctl mail preview."
    return _ADVICE.get(name, "Try platformctl mail test ADDRESS.")
