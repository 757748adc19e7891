"""Mail written to files, for deployments without a mail server."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.core.mail import EmailMessage
from django.core.mail.backends import filebased

from platform_core.durable import replace_private_file

_ODD = re.compile(r"[^A-Za-z0-9._-]")


class EmailBackend(filebased.EmailBackend):
    """A file for each mail, in a folder that only the deployment's user enters: mails hold codes that reset passwords.

    The file is named after the mail's Message-ID and appears whole: a mail that is written again replaces itself, and
    mail programs open it.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        Path(self.file_path).chmod(0o700)

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        """Write each mail, and return how many."""
        for one in email_messages:
            message = one.message()
            local_part = str(message["Message-ID"]).strip("<>").partition("@")[0]
            name = f"{_ODD.sub('_', local_part)}.eml"
            replace_private_file(Path(self.file_path) / name, message.as_bytes())
        return len(email_messages)
