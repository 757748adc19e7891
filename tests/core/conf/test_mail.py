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
