"""The log file handler: rotates by size, safely between processes, in a folder it makes itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from concurrent_log_handler import ConcurrentRotatingFileHandler


class RotatingLog(ConcurrentRotatingFileHandler):
    """Append to ``filename``, rotating it under a lock that all processes of the deployment share."""

    def __init__(self, filename: str, *args: Any, **kwargs: Any) -> None:
        Path(filename).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        super().__init__(filename, *args, **kwargs)
