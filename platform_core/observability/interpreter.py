"""What Python itself would write to standard error, with everything that it quotes, told by the log instead."""

from __future__ import annotations

import sys
import threading
import warnings
from typing import Final, TextIO

import structlog

from platform_core.observability.redaction import redacted

log = structlog.get_logger(__name__)

_SHOW: Final = warnings.showwarning


def let_the_log_tell() -> None:
    """Log warnings, the ends of threads and what finalizers raise; a hook that somebody else has set stays."""
    if threading.excepthook is threading.__excepthook__:
        threading.excepthook = _log_end_of_thread
    if sys.unraisablehook is sys.__unraisablehook__:
        sys.unraisablehook = _log_unraisable
    if warnings.showwarning in (_SHOW, tell_warning):
        warnings.showwarning = _log_warning


def clean_warnings() -> None:
    """Let warnings be written without secrets while there is no log yet."""
    if warnings.showwarning is _SHOW:
        warnings.showwarning = tell_warning


def tell_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Write a warning on a line of standard error, or of ``file``, with its place and without its source."""
    stream = sys.stderr if file is None else file
    if stream is not None:
        stream.write(f"{filename}:{lineno}: {category.__name__}: {redacted(str(message))}\n")


def _log_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    if file is not None:  # somebody collects them in a file of their own
        tell_warning(message, category, filename, lineno, file)
        return
    log.warning(
        "python warning",
        category=category.__name__,
        place=f"{filename}:{lineno}",
        message=redacted(str(message)),
    )


def _log_unraisable(ended: sys.UnraisableHookArgs) -> None:
    if ended.exc_value is not None:
        where = getattr(ended.object, "__qualname__", type(ended.object).__name__)
        log.error("an exception was ignored", place=where, exc_info=ended.exc_value)


def _log_end_of_thread(ended: threading.ExceptHookArgs) -> None:
    if ended.exc_value is not None and not isinstance(ended.exc_value, SystemExit):
        name = ended.thread.name if ended.thread else ""
        log.error("a thread ended by an exception", thread=name, exc_info=ended.exc_value)
