"""Answers that are on their way: what the kernel has no room for waits beside the socket, not in a thread."""

from __future__ import annotations

import os
import select
import socket
import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

MOST_KEPT = 4 << 20
"""Bytes of one answer that wait; a longer one, a stream, waits in its thread for there to be room."""
ALL_KEPT = 64 << 20
"""Bytes of answers that wait in a process."""
SEND_S = 30.0
"""The longest that a client may take nothing, beyond the time for what it has taken."""
SLOWEST = 4 << 10
"""Bytes a second that a client has to take at least, beyond the seconds that everybody has."""
_PIECE = 1 << 18
"""Bytes after which others get their turn."""


class Room:
    """Bytes that may still be kept, for all connections of a process."""

    def __init__(self, most: int = ALL_KEPT) -> None:
        self._left = most
        self._lock = threading.Lock()

    def take(self, size: int) -> bool:
        """Take so many bytes; False when there are not so many."""
        with self._lock:
            if size > self._left:
                return False
            self._left -= size
            return True

    def give(self, size: int) -> None:
        """Give so many bytes back."""
        with self._lock:
            self._left += size


@dataclass(slots=True)
class _Bytes:
    """Bytes that wait."""

    data: memoryview

    def send(self, to: int) -> int:
        sent = os.write(to, self.data[:_PIECE])
        self.data = self.data[sent:]
        return sent

    @property
    def left(self) -> int:
        return len(self.data)

    def close(self) -> None:
        pass


@dataclass(slots=True)
class _File:
    """A part of a file that waits; its descriptor is our own."""

    descriptor: int
    offset: int
    left: int

    def send(self, to: int) -> int:
        sent = os.sendfile(to, self.descriptor, self.offset, min(self.left, _PIECE))
        if not sent:
            raise ConnectionAbortedError("The file is shorter than was announced.")
        self.offset += sent
        self.left -= sent
        return sent

    def close(self) -> None:
        os.close(self.descriptor)


class LeavingSocket(socket.socket):
    """A connected socket that takes an answer at once, and ``flush`` sends what the client did not take at once.

    It takes the place of ``other``. With a blocking socket everything is as usual.
    """

    def __init__(self, other: socket.socket, room: Room) -> None:
        super().__init__(other.family, other.type, other.proto, fileno=other.detach())
        self._room = room
        self._waiting: deque[_Bytes | _File] = deque()
        self._kept = self._sent = 0
        self._since = 0.0

    @property
    def is_leaving(self) -> bool:
        """Whether something waits to be sent."""
        return bool(self._waiting)

    @property
    def is_overdue(self) -> bool:
        """Whether the client takes what waits more slowly than anybody needs to."""
        return self.is_leaving and time.monotonic() - self._since > SEND_S + self._sent / SLOWEST

    def sendall(self, data: Any, flags: int = 0, /) -> None:
        """Send ``data`` or keep it to be sent; waits only while too much is kept, and raises TimeoutError then."""
        if self.gettimeout() is None:
            super().sendall(data, flags)
            return
        ends = time.monotonic() + SEND_S
        rest = memoryview(data)
        while rest := self._rest_of(rest):
            self._wait(ends)
            self.flush()

    def sendfile(self, file: Any, offset: int = 0, count: int | None = None) -> int:
        """Send a part of ``file``, whose descriptor may be closed afterwards."""
        if self.gettimeout() is None or count is None:
            return super().sendfile(file, offset, count)
        self._keep(_File(os.dup(file.fileno()), offset, count))
        self.flush()
        return count

    def flush(self) -> bool:
        """Send what the client takes now, and tell whether all is gone; raises OSError when it takes nothing any more."""
        turn = _PIECE
        while self._waiting and turn > 0:
            first = self._waiting[0]
            try:
                sent = first.send(self.fileno())
            except BlockingIOError:
                return False
            turn -= sent
            self._sent += sent
            if isinstance(first, _Bytes):
                self._give(sent)
            if not first.left:
                self._waiting.popleft().close()
        return not self._waiting

    def close(self) -> None:
        """Close the socket; what waits is forgotten."""
        while self._waiting:
            self._waiting.popleft().close()
        self._give(self._kept)
        super().close()

    def _rest_of(self, data: memoryview) -> memoryview:
        """Send or keep ``data`` and return what there is no room for."""
        if not self._waiting:
            with suppress(BlockingIOError):
                data = data[os.write(self.fileno(), data) :]
        size = len(data)
        if not size or self._kept + size > MOST_KEPT or not self._room.take(size):
            return data
        self._kept += size
        self._keep(_Bytes(data))
        return data[size:]

    def _keep(self, part: _Bytes | _File) -> None:
        if not self._waiting:
            self._since, self._sent = time.monotonic(), 0
        self._waiting.append(part)

    def _give(self, size: int) -> None:
        self._kept -= size
        self._room.give(size)

    def _wait(self, ends: float) -> None:
        """Wait until the client takes something; raises TimeoutError when it does not in time."""
        poll = select.poll()
        poll.register(self.fileno(), select.POLLOUT)
        if not poll.poll(max(ends - time.monotonic(), 0) * 1000):
            raise TimeoutError("The client does not take its answer.")
