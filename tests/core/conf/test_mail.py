"""Mail in files: nobody but the deployment's user reads the codes in it."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from django.core.mail import get_connection, send_mail

from platform_core.conf import build_settings


@pytest.mark.parametrize("existing_mode", [None, 0o755])
def test_the_folder_of_mails_is_closed_to_others(tmp_path: Path, existing_mode: int | None) -> None:
    values = build_settings(tmp_path, profile="dev", environ={"PLATFORM_PLUGINS": "identity"})
    folder = Path(values["EMAIL_FILE_PATH"])
    if existing_mode is not None:
        folder.mkdir(parents=True)
        folder.chmod(existing_mode)

    connection = get_connection(values["EMAIL_BACKEND"], file_path=str(folder))
    send_mail("Code", "123456", None, ["a@example.org"], connection=connection)

    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    [mail] = folder.iterdir()
    assert "123456" in mail.read_text()
