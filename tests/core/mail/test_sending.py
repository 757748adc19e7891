"""A mail is asked for in a transaction and sent after it, in its reader's language; nothing tells others what it says."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any, ClassVar

import pytest
from django.core import mail
from django.db import OperationalError, connection, transaction
from django.test import Client
from django.utils import timezone, translation
from pydantic import ValidationError

from platform_core.errors import Invalid
from platform_core.mail import Mail, send_mail
from platform_core.mail.failures import MailNotSent, failure_of
from platform_core.mail.keeping import forget_mails
from platform_core.mail.rendering import render
from platform_core.models import MailMessage
from platform_core.tasks.backend import engine
from platform_core.testing.jobs import run_waiting_jobs
from platform_identity.mails import MAILS, AccountReactivated, PasswordReset, RoleGiven
from platform_identity.testing import auth_header, make_owner

CODE = "QX7W-PLUM"
READER = "reader@example.org"
pytestmark = pytest.mark.django_db


class Undeclared(Mail):
    """Is returned from no hook."""

    name: ClassVar = "identity.undeclared"
    subject: ClassVar = "x"


def send_code(**extra: Any) -> Any:
    return send_mail(PasswordReset(code=CODE, minutes=15), to=READER, **extra)


def everything_in_the_database() -> str:
    found = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names():
            cursor.execute(f'SELECT t::text FROM "{table}" AS t')
            found += [row[0] for row in cursor.fetchall()]
    return "\n".join(found)


@pytest.mark.parametrize(
    ("language", "subject", "sentence"),
    [
        ("en", "Your code for a new password", "It works for 15 minutes"),
        ("fr", "Votre code pour un nouveau mot de passe", "Il est valable 15 minutes"),
        ("de", "Ihr Code für ein neues Passwort", "Er gilt 15 Minuten lang"),
        ("de-AT", "Ihr Code für ein neues Passwort", "Er gilt 15 Minuten lang"),
        ("ja", "Your code for a new password", "It works for 15 minutes"),
    ],
)
def test_a_mail_has_text_and_html_in_the_language_of_its_reader(
    language: str, subject: str, sentence: str
) -> None:
    send_code(language=language)
    run_waiting_jobs()

    (message,) = mail.outbox
    (html, kind), *others = message.alternatives
    assert (message.to, message.subject, kind, others) == ([READER], subject, "text/html", [])
    for part in (message.body, html):
        assert sentence in part
        assert CODE in part
    assert f'<html lang="{language[:2].replace("ja", "en")}">' in html
    assert message.message().get_content_type() == "multipart/alternative"


def test_without_a_language_it_is_the_active_one() -> None:
    with translation.override("fr"):
        send_mail(AccountReactivated.example(), to=READER)
    run_waiting_jobs()

    assert mail.outbox[0].subject == "Votre compte est de nouveau actif"


def test_what_is_undone_is_not_sent() -> None:
    with transaction.atomic():
        send_code()
        transaction.set_rollback(True)

    assert run_waiting_jobs() == 0
    assert not MailMessage.objects.exists()


def test_nobody_reads_a_mail_before_it_is_sent_and_nothing_is_left_of_it_after() -> None:
    mail_id = send_code()

    kept = MailMessage.objects.get(pk=mail_id)
    assert CODE in (kept.payload or "")
    assert (kept.recipient, kept.state, kept.plugin) == ("r…@example.org", "queued", "identity")
    for _moment in ("waits", "is sent"):
        shown = everything_in_the_database()
        assert str(mail_id) in shown
        for secret in (CODE, READER, CODE.encode().hex(), READER.encode().hex()):
            assert secret not in shown
        run_waiting_jobs()
    kept.refresh_from_db()
    assert (kept.payload, kept.state, kept.attempts) == (None, "sent", 1)
    assert CODE not in repr(PasswordReset(code=CODE, minutes=1))


def test_neither_tasks_nor_mails_over_http_tell_what_a_mail_says() -> None:
    mail_id = send_code()
    headers = auth_header(make_owner())

    tasks = Client().get("/api/v1/system/tasks/", headers=headers)
    mails = Client().get(f"/api/v1/system/mails/{mail_id}/", headers=headers)

    assert "platform_core.deliver_mail" in tasks.content.decode()
    assert mails.json()["template"] == "identity.password_reset"
    for answer in (tasks, mails):
        assert CODE not in answer.content.decode()
        assert READER not in answer.content.decode()


@pytest.mark.parametrize(
    "address",
    [
        "",
        "reader",
        "a@b@example.org",
        "a@example.org\nBcc: b@example.org",
        "a@example.org, b@c.org",
    ],
)
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(Invalid):
        send_mail(AccountReactivated.example(), to=address)
    assert not MailMessage.objects.exists()


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n", "\u2028", "\0"])
def test_a_value_does_not_get_into_the_headers(end: str) -> None:
    hostile = RoleGiven(role=f"Admin{end}Bcc: victim@example.org", at=timezone.now())

    with pytest.raises(ValueError, match="control character"):
        send_mail(hostile, to=READER)
    assert not MailMessage.objects.exists()


def test_a_value_does_not_get_into_the_markup() -> None:
    hostile = RoleGiven(role="<img src=x onerror=alert(1)>", at=timezone.now())

    shown = render(hostile, "en")

    assert "<img" not in shown.html
    assert "&lt;img src=x" in shown.html
    assert hostile.role in shown.text


def test_a_mail_that_nobody_declares_is_refused_by_name() -> None:
    with pytest.raises(LookupError, match=r"declares Undeclared as a mail: .* mails\(\)"):
        send_mail(Undeclared(), to=READER)


def test_a_mail_without_what_it_shows_is_refused_and_its_values_are_not_told() -> None:
    with pytest.raises(ValidationError) as caught:
        PasswordReset(code=CODE, minutes="soon")  # type: ignore[arg-type]
    assert "minutes" in str(caught.value)
    assert CODE not in str(caught.value)


def test_the_mails_of_a_dormant_plugin_wait() -> None:
    send_code()

    assert run_waiting_jobs(["platform_core"]) == 0
    assert [one.queue for one in engine().listed(queue=None, status="waiting", limit=9)] == [
        "identity"
    ]
    assert run_waiting_jobs(["platform_core", "identity"]) == 1


def test_what_a_failed_mail_says_is_forgotten_before_the_mail_is() -> None:
    mail_id = send_code()
    rows = MailMessage.objects.filter(pk=mail_id)
    rows.update(state="failed", created_at=timezone.now() - dt.timedelta(days=8))

    assert forget_mails(timezone.now()) == 0
    assert rows.get().payload is None
    rows.update(created_at=timezone.now() - dt.timedelta(days=31))
    assert forget_mails(timezone.now()) == 1


def test_every_mail_of_identity_keeps_what_it_was_given() -> None:
    for one in MAILS:
        example = one.example()
        assert one.model_validate_json(json.dumps(example.model_dump(mode="json"))) == example


def test_a_database_that_is_away_for_a_moment_gives_no_mail_up() -> None:
    """Settings that are changed at run time are looked for while a mail is rendered."""
    found = failure_of(OperationalError(f"gone while {READER} was read"))
    assert (type(found), found.what) == (MailNotSent, "OperationalError")
