"""Mail written to files, for deployments without a mail server."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.core.mail import EmailMessage
from django.core.mail.backends import filebased

from platform_core.durable import sync_folder

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
            self._keep(_ODD.sub("_", local_part), message.as_bytes())
        return len(email_messages)

    def _keep(self, name: str, content: bytes) -> None:
        finished = Path(self.file_path) / f"{name}.eml"
        unfinished = finished.with_suffix(f".{os.getpid()}.part")
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        unfinished.replace(finished)
        sync_folder(finished.parent)
