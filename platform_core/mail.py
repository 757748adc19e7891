"""Mail written to files, for deployments without a mail server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.mail.backends import filebased


class EmailBackend(filebased.EmailBackend):
    """Django's mail in files, in a folder that only the deployment's user enters: it holds codes that reset passwords."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        Path(self.file_path).chmod(0o700)
