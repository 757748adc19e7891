"""Mail in files: nobody but the deployment's user reads the codes in it."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import django
import pytest
from django.core import mail
from django.core.mail import EmailMessage, send_mail
from django.test import override_settings

from platform_core.conf import build_settings
from platform_core.conf.mail import fault_of, is_sender

BEFORE_MAILERS = django.VERSION < (6, 1)
NAMES = ("EMAIL_", "MAILERS")


def mail_settings(folder: Path, **environ: str) -> dict[str, Any]:
    """Return what a deployment in ``folder`` sets about mail, by whatever names Django has for it."""
    values = build_settings(
        folder, profile="dev", environ={"PLATFORM_PLUGINS": "identity", **environ}
    )
    return {name: value for name, value in values.items() if name.startswith(NAMES)}


@pytest.mark.parametrize("existing_mode", [None, 0o755])
def test_the_folder_of_mails_is_closed_to_others(tmp_path: Path, existing_mode: int | None) -> None:
    folder = tmp_path / "var" / "mail"
    if existing_mode is not None:
        folder.mkdir(parents=True)
        folder.chmod(existing_mode)

    with override_settings(**mail_settings(tmp_path)):
        send_mail("Code", "123456", None, ["a@example.org"])

    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    [file] = folder.iterdir()
    assert "123456" in file.read_text()


def test_a_mail_server_is_spoken_to_as_its_address_says(tmp_path: Path) -> None:
    url = "smtp://sender:p%40ss@mail.example.org:2525"
    with override_settings(**mail_settings(tmp_path, PLATFORM_EMAIL_URL=url)):
        server: Any = EmailMessage().get_connection() if BEFORE_MAILERS else mail.mailers.default

    assert (server.host, server.port, server.use_tls) == ("mail.example.org", 2525, True)
    assert (server.username, server.password) == ("sender", "p@ss")


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("smpt://a:hunter2@b", "write console, file"),
        ("smtp://hunter2", ""),
        ("smtp://a:hunter2@b:99999", "write console, file"),
        ("smtp://a:hunter2@b?tls=on", "the only option of smtp:// is tls=off"),
        ("smtp://a:hunter2@b?tls=off", "readable for others"),
        ("smtps://b?tls=off", "readable for others"),
        ("smtp://a:hunter2@localhost:25?tls=off", ""),
        ("smtps://a:hunter2@b", ""),
        ("postmark://hunter2", "write postmark://server_token@"),
        ("postmark://hunter2@", ""),
        ("postmark://hunter2@b.example", "nothing comes behind the @"),
        ("postmark://hunter2@?colour=red", "no such option; it has api_url, message_stream"),
        ("mailgun://hunter2@mg.example.org?api_url=https://api.eu.mailgun.net/v3", ""),
        ("mailjet://hunter2@", "write mailjet://api_key:secret_key@"),
        ("mailjet://key:hunter2@", ""),
        ("carrier-pigeon://hunter2@", "write console, file"),
    ],
)
def test_an_address_that_cannot_work_is_refused_without_being_shown(url: str, told: str) -> None:
    fault = fault_of(url)

    assert told in fault
    assert bool(fault) == bool(told)
    assert "hunter2" not in fault


@pytest.mark.parametrize(
    ("sender", "fits"),
    [
        ("platform@localhost", True),
        ("École d’été <no-reply@example.org>", True),
        ("nobody", False),
        ("a@example.org\r\nBcc: b@example.org", False),
        ("a@example.org, b@example.org", False),
    ],
)
def test_a_sender_is_one_address_on_one_line(sender: str, fits: bool) -> None:
    assert is_sender(sender) is fits


def test_a_server_that_says_nothing_is_given_up(tmp_path: Path) -> None:
    url = "smtps://a:b@mail.example.org"
    with override_settings(**mail_settings(tmp_path, PLATFORM_EMAIL_URL=url)):
        server: Any = EmailMessage().get_connection() if BEFORE_MAILERS else mail.mailers.default

    assert (server.port, server.use_ssl, server.use_tls) == (465, True, False)
    assert 0 < server.timeout <= 30
