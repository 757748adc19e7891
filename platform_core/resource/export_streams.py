"""How a file is sent while it is made: so many at once, from one transaction, and broken off where it fails."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing, contextmanager

from django.db import connections, transaction
from django.utils.translation import gettext_lazy as _
from rest_framework.exceptions import APIException

MOST_AT_ONCE = 2
"""Exports that one process sends at the same time; each holds a thread and a connection."""
MOST_IDLE_S = 60
"""How long a client may take to read one batch before the database gives up waiting for the next question."""
MOST_SECONDS = 3_600
_BUSY_RETRY_S = 10

logger = logging.getLogger(__name__)
_places = threading.BoundedSemaphore(MOST_AT_ONCE)


class ExportsBusy(APIException):
    """As many exports as this process sends at once are running."""

    status_code = 503
    default_code = "exports_busy"
    default_detail = _("Other exports are running; try again shortly.")
    wait = _BUSY_RETRY_S


class NeedsChunks(APIException):
    """The client or a proxy speaks HTTP/1.0, where a file that breaks off looks like a whole one."""

    status_code = 426
    default_code = "http_version"
    default_detail = _(
        "An export needs HTTP/1.1, so that a file that breaks off is known to be cut."
    )


class ExportTooSlow(Exception):
    """The client took longer than an export may take."""


def sent(
    parts: Callable[[], Generator[tuple[bytes, int], None, None]],
    *,
    using: str,
    told: Mapping[str, str],
) -> Generator[bytes, None, None]:
    """Yield a file of ``parts``, each with the number of rows that it ends with, read from the database ``using``.

    Whatever goes wrong after the first part breaks it off, and the log says so with what is ``told``. Raises
    ``ExportsBusy`` at the first part.
    """
    ends_at = time.monotonic() + MOST_SECONDS
    rows_sent = 0
    try:
        with (
            _place(),
            snapshot(using, most_idle_s=MOST_IDLE_S),
            closing(parts()) as made,
        ):
            for part, rows in made:
                yield part
                rows_sent = rows
                if time.monotonic() > ends_at:
                    raise ExportTooSlow
    except GeneratorExit:
        raise
    except Exception:  # told and raised on: the transfer breaks
        if rows_sent:
            logger.exception("export broken off", extra={**told, "rows": rows_sent})
        raise


class Started:
    """A stream whose first part was made already, so that what fails before it is answered as a problem."""

    def __init__(self, stream: Generator[bytes, None, None]) -> None:
        self._stream = stream
        self._first = next(stream)

    def __iter__(self) -> Iterator[bytes]:
        first, self._first = self._first, b""
        if first:
            yield first
        yield from self._stream

    def close(self) -> None:
        """End the transaction and give the place back, however far the client has read."""
        self._stream.close()


@contextmanager
def _place() -> Iterator[None]:
    """Hold one of the places for exports; raises ``ExportsBusy`` when none is left."""
    if not _places.acquire(blocking=False):
        raise ExportsBusy
    try:
        yield
    finally:
        _places.release()


@contextmanager
def snapshot(using: str, *, most_idle_s: int) -> Iterator[None]:
    """Hold a transaction that the database ends by itself when nobody asks for the next rows for so many seconds."""
    with transaction.atomic(using=using):
        with connections[using].cursor() as cursor:
            cursor.execute(f"SET LOCAL idle_in_transaction_session_timeout = '{most_idle_s}s'")
        yield
