"""Name the one error that backing up and restoring raise."""

from __future__ import annotations


class BackupError(Exception):
    """A backup or restore could not do what was asked; what was there before is as it was."""

    def __init__(self, code: str, message: str, way_out: str) -> None:
        self.code = code
        self.message = message
        self.way_out = way_out
        super().__init__(f"{message} {way_out}")
