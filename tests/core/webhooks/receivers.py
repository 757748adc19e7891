"""Receivers on loopback that behave as somebody says: well, slowly, hugely, redirecting, gone, flapping."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Arrived:
    """A request as it came."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Reply:
    """What to answer: a status, headers, so many bytes of body, after a pause."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b"thanks"
    repeat: int = 1
    pause_s: float = 0.0


class Receiver:
    """A server of HTTP that keeps what arrives and answers each request as ``reply`` says."""

    def __init__(self, reply: Callable[[Arrived], Reply] = lambda arrived: Reply()) -> None:
        """Serve on a port of its own."""
        self.reply = reply
        self.arrived: list[Arrived] = []
        self.released = threading.Event()
        """Set when pauses are to end."""
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:  # noqa: N802  (the library's name)
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                arrived = Arrived(self.path, headers, body)
                receiver.arrived.append(arrived)
                receiver._answer(self, receiver.reply(arrived))

            do_GET = do_POST  # noqa: N815

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        class Server(ThreadingHTTPServer):
            def handle_error(self, *_: Any) -> None:
                """Say nothing of clients that hang up."""

        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def _answer(self, handler: BaseHTTPRequestHandler, reply: Reply) -> None:
        self.released.wait(reply.pause_s)
        handler.send_response(reply.status)
        for name, value in {"Content-Length": str(len(reply.body) * reply.repeat), **reply.headers}.items():  # fmt: skip
            handler.send_header(name, value)
        handler.end_headers()
        for _ in range(reply.repeat):
            handler.wfile.write(reply.body)

    def close(self) -> None:
        """Answer what waits, and stop."""
        self.released.set()
        self.server.shutdown()
        self.server.server_close()

    def ids(self) -> list[str]:
        """Return the ids of the messages that arrived."""
        return [one.headers["webhook-id"] for one in self.arrived]


@contextmanager
def receiver(reply: Callable[[Arrived], Reply] = lambda arrived: Reply()) -> Iterator[Receiver]:
    """Serve for the block."""
    found = Receiver(reply)
    try:
        yield found
    finally:
        found.close()


def always(status: int, **values: Any) -> Callable[[Arrived], Reply]:
    """Return what answers each request alike."""
    return lambda arrived: Reply(status=status, **values)


def until(is_so: Callable[[], Any], within_s: float = 30) -> Any:
    """Return the first true answer; an assertion fails when there is none in time."""
    ends = time.monotonic() + within_s
    while not (found := is_so()):
        assert time.monotonic() < ends, f"it was not so within {within_s} s"
        time.sleep(0.02)
    return found
