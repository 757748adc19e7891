"""Real receivers on loopback: what arrives, what is tried again, what is given up, and what operators learn of it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.mail import EmailMessage
from django.db import connection
from django.test import Client

from platform_core.mail import send_mail
from platform_core.mail.delivering import RETRY
from platform_core.mail.files import EmailBackend
from platform_core.models import MailMessage
from platform_core.observability.health import check_health
from platform_core.testing.jobs import run_waiting_jobs
from platform_identity.mails import PasswordReset
from platform_identity.testing import auth_header, make_owner
from tests.core.mail.receivers import MailServer, mail_server, provider, sending_by

CODE = "QX7W-PLUM"
READER = "reader@example.org"
SENDER = {"PLATFORM_EMAIL_FROM": "Example School <noreply@school.example>"}
INACTIVE = f"Found inactive addresses: {READER}. Inactive recipients are ones that complained."
pytestmark = pytest.mark.django_db


@pytest.fixture
def server(tmp_path: Path) -> Iterator[MailServer]:
    with (
        mail_server() as found,
        sending_by(tmp_path, f"smtp://127.0.0.1:{found.port}?tls=off", **SENDER),
    ):
        yield found


def send_code() -> MailMessage:
    mail_id = send_mail(PasswordReset(code=CODE, minutes=15), to=READER, language="de")
    return MailMessage.objects.get(pk=mail_id)


def run_when_due(times: int = 1) -> None:
    """Run the jobs again and again as if the time to wait were over."""
    for _time in range(times):
        run_waiting_jobs()
        with connection.cursor() as cursor:
            cursor.execute("UPDATE procrastinate_jobs SET scheduled_at = NULL")


def mail_check() -> Any:
    (found,) = [one for one in check_health() if one.name == "mail"]
    return found


def test_a_mail_arrives_whole(server: MailServer) -> None:
    kept = send_code()
    run_waiting_jobs()

    (message,) = server.taken
    text, html = message.iter_parts()
    assert message.get_content_type() == "multipart/alternative"
    assert [text.get_content_type(), html.get_content_type()] == ["text/plain", "text/html"]
    assert message["Subject"] == "Ihr Code für ein neues Passwort"
    assert (message["From"], message["To"]) == (SENDER["PLATFORM_EMAIL_FROM"], READER)
    assert message["Message-ID"] == f"<{kept.pk}@school.example>"
    assert (message["Auto-Submitted"], message["Content-Language"]) == ("auto-generated", "de")
    assert CODE in text.get_content()
    assert CODE in html.get_content()


def test_a_server_that_says_later_gets_the_same_mail_again(server: MailServer) -> None:
    answers = iter(["451 greylisted", "250 OK"])
    server.answer = lambda step: next(answers) if step == "DATA" else "250 OK"
    kept = send_code()

    run_when_due()
    kept.refresh_from_db()
    assert (kept.state, kept.attempts, kept.error) == ("queued", 1, "SMTPDataError 451")
    assert mail_check().healthy
    run_when_due()

    kept.refresh_from_db()
    assert (kept.state, kept.attempts, kept.error) == ("sent", 2, "")
    assert [one["Message-ID"] for one in server.taken] == [f"<{kept.pk}@school.example>"]


@pytest.mark.parametrize(
    ("step", "error"), [("RCPT", "SMTPRecipientsRefused 550"), ("DATA", "SMTPDataError 550")]
)
def test_what_is_refused_for_good_is_not_tried_again(
    server: MailServer, step: str, error: str, caplog: pytest.LogCaptureFixture
) -> None:
    server.answer = lambda at: f"550 no {READER} {CODE}" if at == step else "250 OK"
    kept = send_code()
    with caplog.at_level(logging.DEBUG):
        run_when_due(times=2)

    kept.refresh_from_db()
    assert (kept.state, kept.attempts, kept.error) == ("failed", 1, error)
    ours = "".join(str(one.msg) for one in caplog.records if one.name != "mail.log")
    assert kept.error_id
    assert kept.error_id in ours
    assert CODE not in ours
    assert READER not in ours


def test_a_server_that_stays_away_ends_in_a_failed_mail_that_is_told_and_sent_again(
    tmp_path: Path,
) -> None:
    with mail_server() as gone:
        nowhere = f"smtp://127.0.0.1:{gone.port}?tls=off"
    kept = send_code()
    with sending_by(tmp_path, nowhere):
        run_when_due(times=RETRY.attempts + 1)

    kept.refresh_from_db()
    assert (kept.state, kept.attempts) == ("failed", RETRY.attempts)
    check = mail_check()
    assert (check.healthy, check.critical) == (False, False)
    assert "1 mail could not be sent" in check.detail
    assert "ConnectionRefusedError" in check.detail
    assert "Check host and port in PLATFORM_EMAIL_URL" in check.detail

    headers = auth_header(make_owner())
    place = f"/api/v1/system/mails/{kept.pk}/resend/"
    answer, again = (
        Client().post(place, content_type="application/json", headers=headers) for _ in range(2)
    )
    with mail_server() as server, sending_by(tmp_path, f"smtp://127.0.0.1:{server.port}?tls=off"):
        run_when_due()
    kept.refresh_from_db()
    assert (answer.status_code, again.status_code) == (200, 409)
    assert (kept.state, kept.payload, len(server.taken)) == ("sent", None, 1)
    assert mail_check().healthy


def test_a_provider_gets_the_mail_with_the_key_that_only_the_url_has(tmp_path: Path) -> None:
    sent = {"ErrorCode": 0, "Message": "OK", "MessageID": "1", "To": READER, "SubmittedAt": "now"}
    with provider(200, sent) as (address, calls):
        url = f"postmark://k%40y@?api_url={address}&message_stream=codes"
        with sending_by(tmp_path, url, **SENDER):
            kept = send_code()
            run_waiting_jobs()

    (call,) = calls
    kept.refresh_from_db()
    assert kept.state == "sent"
    assert call["headers"]["X-Postmark-Server-Token"] == "k@y"
    assert call["body"]["MessageStream"] == "codes"
    assert CODE in call["body"]["TextBody"]
    assert CODE in call["body"]["HtmlBody"]
    assert {"Name": "Message-ID", "Value": f"<{kept.pk}@school.example>"} in call["body"]["Headers"]


@pytest.mark.parametrize(
    ("status", "answer", "state", "error"),
    [
        (
            401,
            {"ErrorCode": 10, "Message": f"no {READER}"},
            "queued",
            "AnymailRequestsAPIError 401",
        ),
        (422, {"ErrorCode": 406, "Message": INACTIVE}, "failed", "AnymailRecipientsRefused"),
    ],
)
def test_a_provider_that_refuses_is_told_apart_by_what_it_says(
    tmp_path: Path, status: int, answer: Any, state: str, error: str, caplog: Any
) -> None:
    with (
        provider(status, answer) as (address, _calls),
        sending_by(tmp_path, f"postmark://key@?api_url={address}"),
    ):
        kept = send_code()
        run_waiting_jobs()

    kept.refresh_from_db()
    assert kept.state == state
    assert kept.error.startswith(error)
    assert READER not in caplog.text


def test_a_mail_in_a_file_replaces_itself_when_it_is_written_again(tmp_path: Path) -> None:
    kept = send_code()
    with sending_by(tmp_path, "file"):
        run_waiting_jobs()
        (file,) = (tmp_path / "var" / "mail").iterdir()
        first = file.read_bytes()
        again = EmailMessage("again", headers={"Message-ID": f"<{kept.pk}@elsewhere.example>"})
        EmailBackend(file_path=str(file.parent)).send_messages([again])

    assert file.name == f"{kept.pk}.eml"
    assert CODE.encode() in first
    (only,) = file.parent.iterdir()
    assert b"Subject: again" in only.read_bytes()
    assert CODE.encode() not in only.read_bytes()
