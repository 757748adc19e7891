"""Why a file cannot be read, or a cell not be written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from platform_core.errors import Invalid

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise


class Unreadable(Invalid):
    """The file as a whole cannot be taken; nothing of it was."""

    code = "unreadable_file"


class TooLarge(Invalid):
    """The file, or what it unpacks to, is larger than is read."""

    code = "too_large"
    status = 413


class TooMuchAtOnce(TooLarge):
    """The file is no larger than is read, but than is read while a client waits."""


class CellTooLong(Exception):
    """A text is longer than a cell of the format holds."""


class CellRefused(Exception):
    """One cell of a row cannot be taken; ``message`` says why."""

    def __init__(self, message: StrOrPromise, code: str) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
