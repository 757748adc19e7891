"""The log file handler: rotates by size, safely between processes, in a folder it makes itself."""

from __future__ import annotations

import logging
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from concurrent_log_handler import ConcurrentRotatingFileHandler

from platform_core.observability.exceptions import exception_told


class RotatingLog(ConcurrentRotatingFileHandler):
    """Append to ``filename``, rotating it under a lock that all processes of the deployment share."""

    def __init__(self, filename: str, *args: Any, **kwargs: Any) -> None:
        Path(filename).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        super().__init__(filename, *args, **kwargs)

    def emit(self, record: logging.LogRecord) -> None:
        """Write the line: at once where the file is the one in place and has room, else under the lock.

        The kernel keeps lines apart that several processes append. One written while another process rotates ends up in
        the rotated file.
        """
        try:
            if not self._append(record):
                super().emit(record)
        except (
            Exception
        ):  # as every handler: a line that cannot be written takes no request with it
            self.handleError(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  (the name is logging's)
        """Say on standard error that a line could not be written, and why; logging itself would print its arguments."""
        error = sys.exc_info()[1]
        if error is not None and sys.stderr is not None:
            with suppress(OSError, ValueError):
                sys.stderr.write(f"{self.baseFilename}: {exception_told(error)}\n")

    def _append(self, record: logging.LogRecord) -> bool:
        if self.stream is None or self.stream.closed:
            return False
        file = self.stream.fileno()
        mine = os.fstat(file)
        try:
            there = os.stat(self.baseFilename)  # noqa: PTH116  (a Path for each line would cost more)
        except OSError:
            return False
        line = f"{self.format(record)}{self.terminator}".encode("utf-8", "backslashreplace")
        is_there = (mine.st_ino, mine.st_dev) == (there.st_ino, there.st_dev)
        if not is_there or mine.st_size + len(line) > self.maxBytes:
            return False
        while line:
            line = line[os.write(file, line) :]
        return True
