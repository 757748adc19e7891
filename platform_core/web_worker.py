"""The worker of gunicorn that ``platformctl run`` uses: a slow client occupies a socket, never a thread.

gunicorn's own gives a thread to each request whose first byte is there, for as long as the client likes: as many clients as
there are threads, each sending a byte now and then, or taking none of what it asked for, end the service.
"""

from __future__ import annotations

import selectors
import time
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from os import SEEK_END
from typing import Any

from django.conf import settings
from gunicorn import util
from gunicorn.http import RequestParser
from gunicorn.http.unreader import SocketUnreader
from gunicorn.http2 import negotiation
from gunicorn.workers.gthread import _DEFER, TConn, ThreadWorker

from platform_core.arriving import Arriving
from platform_core.leaving import SEND_S, LeavingSocket, Room
from platform_core.observability.logging import PlainLines

ALL_HELD = 64 << 20
"""Bytes of requests that a process holds while their rest is on the way; beyond, large ones are told to come again."""
SMALL = 16 << 10
HEAD_S = 10.0
BODY_S = 20.0
SLOWEST = 4 << 10
"""Bytes a second that a client has to send at least, beyond the seconds that everybody has."""
STALLED_S = 10.0
_LINGERING = 4
_MOST_LINGERING = 200
_PIECE = 1 << 16
_REFUSALS = {408: "Request Timeout", 503: "Service Unavailable"}


class CollectedUnreader(SocketUnreader):  # type: ignore[misc]
    """Hands out what was collected piece by piece, then reads the socket for as long as a request may take."""

    def begin(self, collected: memoryview) -> None:
        """Start a new request with what is there of it."""
        self._began = time.monotonic()
        self._received = 0
        self._collected = collected

    def chunk(self, size_hint: int | None = None) -> bytes:
        """Return the next piece; TimeoutError when it does not come in time."""
        if self._collected:
            size = min(max(size_hint or 0, self.mxchunk), _PIECE)
            found, self._collected = self._collected[:size], self._collected[size:]
            return bytes(found)
        ends = self._began + BODY_S + self._received / SLOWEST
        before = self.sock.gettimeout()
        left = max(ends - time.monotonic(), 0.001)
        self.sock.settimeout(left if before is None else min(left, before))
        try:
            data: bytes = super().chunk(size_hint)
        finally:
            self.sock.settimeout(before)
        self._received += len(data)
        return data

    def keep_rest(self) -> None:
        """Put what belongs to the next request where the worker looks for it."""
        self.buf.seek(0, SEEK_END)
        self.buf.write(self._collected)
        self._collected = memoryview(b"")


class Connection(TConn):  # type: ignore[misc]
    """A connection that collects a request before a thread is spent on it, and keeps of the answer what is not taken at once."""

    def __init__(self, worker: BufferingWorker, other: TConn) -> None:
        sock = other.sock if other.cfg.is_ssl else LeavingSocket(other.sock, worker.room)
        super().__init__(other.cfg, sock, other.client, other.server)
        self._worker = worker
        self.arriving: Arriving | None = None
        self._collected = memoryview(b"")

    def collect(self) -> bool:
        """Read what is there without waiting; tell whether a thread can go on with it."""
        if self.arriving is None:
            before = b"" if self.parser is None else self.parser.unreader.take_buffered()
            self.arriving = Arriving(settings.PLATFORM_BODY_LIMITS, before)
        self.sock.setblocking(False)
        while not self.arriving.is_enough():
            try:
                data = self.sock.recv(_PIECE)
            except (BlockingIOError, InterruptedError):
                return False
            if not data:
                break
            self.arriving.add(data)
        self._collected, self.arriving = memoryview(self.arriving.data), None
        self.data_ready = True
        return True

    def init(self) -> None:
        """Give the parser what was collected, and every later wait an end."""
        is_new = not self.initialized
        super().init()
        if not isinstance(self.parser, RequestParser):
            return
        self.sock.settimeout(SEND_S)
        if is_new:
            self.parser.unreader = CollectedUnreader(self.sock)
        self.parser.unreader.begin(self._collected)
        self._collected = memoryview(b"")

    def leave(self, keeps_alive: bool) -> None:
        """Keep what belongs to the next request, or nothing when there is none."""
        if self.parser is None:  # closed before anything could be parsed
            return
        if keeps_alive:
            self.parser.unreader.keep_rest()
        else:
            self.parser.unreader.begin(memoryview(b""))

    @property
    def is_leaving(self) -> bool:
        """Whether a part of the answer is still to be sent."""
        return isinstance(self.sock, LeavingSocket) and self.sock.is_leaving

    def close(self, graceful: bool = False) -> None:
        """Close the connection; waiting for the client to have read everything is not done in the worker's loop."""
        self._worker.held.pop(self, None)
        if not (graceful and self._worker.linger(self)):
            super().close()


class BufferingWorker(ThreadWorker):  # type: ignore[misc]
    """Hands a request to a thread once it is there, or is too long to be held."""

    def init_process(self) -> None:
        """Make what the process needs beside its threads, then serve."""
        for handler in self.log.error_log.handlers:
            handler.setFormatter(PlainLines(self.log.error_fmt, self.log.datefmt))
        # A header by which a proxy may set it would be one by which a client sets it.
        self.cfg.set("forwarder_headers", "")
        self.held: dict[Connection, int] = {}
        self.room = Room()
        self._leaving: dict[Connection, Future[Any]] = {}
        self._lingering = ThreadPoolExecutor(_LINGERING, thread_name_prefix="linger")
        super().init_process()

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """Answer what is no request, and log it; neither repeats what was sent, which may be a header with a token."""
        super().handle_error(req, client, addr, _without_words(exc))

    def enqueue_req(self, conn: TConn) -> None:
        """Let a thread look at a connection that has something to read."""
        super().enqueue_req(conn if isinstance(conn, Connection) else Connection(self, conn))

    def handle(self, conn: Connection) -> Any:
        """Answer the request when it is there; else put the connection back until more comes."""
        if not self._may_collect(conn):
            return super().handle(conn)
        if conn.collect():
            self.held.pop(conn, None)
            keeps_alive = super().handle(conn)
            conn.leave(keeps_alive)
            return keeps_alive
        arriving = conn.arriving
        assert arriving is not None  # nosec B101  (for the type checker: it has just not been enough)
        size = len(arriving.data)
        self.held[conn] = size
        allowed_s = BODY_S + size / SLOWEST if arriving.has_head else HEAD_S
        if arriving.age_s > allowed_s:
            return self._refuse(conn, 408)
        if size > SMALL and sum(list(self.held.values())) > ALL_HELD:
            return self._refuse(conn, 503)
        return _DEFER

    def finish_request(self, conn: Connection, fs: Future[Any]) -> None:
        """Take a connection back from its thread; one that waits for more may be silent for a while.

        Where the client has not taken all of its answer, that goes on here.
        """
        if conn.is_leaving:
            conn.sock.setblocking(False)
            self._leaving[conn] = fs
            self.poller.register(conn.sock, selectors.EVENT_WRITE, partial(self._go_on, conn))
            return
        super().finish_request(conn, fs)
        if self.pending_conns and self.pending_conns[-1] is conn:
            conn.timeout = time.monotonic() + STALLED_S

    def murder_pending(self) -> None:
        """Close connections that have waited too long, for a request or for an answer to be taken."""
        super().murder_pending()
        for conn in [one for one in self._leaving if one.sock.is_overdue]:
            self._drop(conn)

    def _go_on(self, conn: Connection, _sock: Any) -> None:
        """Send more of an answer; when all of it is gone, the connection is as any whose request was answered."""
        try:
            if not conn.sock.flush():
                return
        except OSError:  # the client is gone
            self._drop(conn)
            return
        self.poller.unregister(conn.sock)
        self.finish_request(conn, self._leaving.pop(conn))

    def _drop(self, conn: Connection) -> None:
        self.poller.unregister(conn.sock)
        del self._leaving[conn]
        self.nr_conns -= 1
        conn.close()

    def linger(self, conn: Connection) -> bool:
        """Close a connection in its own time; False when too many are waiting for that already."""
        if self._lingering._work_queue.qsize() >= _MOST_LINGERING:
            return False
        conn.sock.setblocking(True)
        self._lingering.submit(util.close_graceful, conn.sock)
        return True

    def _may_collect(self, conn: Connection) -> bool:
        """Tell whether the bytes on the socket are those of HTTP/1."""
        if self.cfg.is_ssl or negotiation.prior_knowledge_allowed(self.cfg, conn.client):
            return False
        return conn.parser is None or isinstance(conn.parser, RequestParser)

    def _refuse(self, conn: Connection, status: int) -> bool:
        head = f"HTTP/1.1 {status} {_REFUSALS[status]}\r\nConnection: close\r\nContent-Length: 0\r\nRetry-After: 2\r\n\r\n"
        conn.sock.send(head.encode())
        return False


def _without_words(error: BaseException) -> BaseException:
    """Return an exception of the same kind, which decides about the answer, that says its kind only."""
    kind = type(error)
    quiet: Any = type(kind.__name__, (kind,), {"__str__": lambda _self: kind.__name__})
    found: BaseException = quiet.__new__(quiet)
    found.__dict__.update(error.__dict__)
    return found.with_traceback(error.__traceback__)
