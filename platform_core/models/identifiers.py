"""UUIDv7 identifiers: ordered by time of creation, made in the process without asking the database."""

from __future__ import annotations

import os
import secrets
import threading
import time
import uuid

_COUNTER_BITS = 42
_TAIL_BITS = 32
_HIGH_COUNTER_BITS = 12
_LOW_COUNTER_BITS = _COUNTER_BITS - _HIGH_COUNTER_BITS


class _Clock:
    """Milliseconds and a counter that together only ever grow within this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._milliseconds = 0
        self._counter = 0

    def tick(self) -> tuple[int, int]:
        """Return the next pair (milliseconds since 1970, 42-bit counter)."""
        with self._lock:
            now = time.time_ns() // 1_000_000
            if now > self._milliseconds:
                self._milliseconds = now
                self._counter = _fresh_counter()
            else:
                self._counter += 1
                if self._counter >> _COUNTER_BITS:
                    self._milliseconds += 1
                    self._counter = _fresh_counter()
            return self._milliseconds, self._counter

    def forget(self) -> None:
        """Start anew after a fork: parent and child must not count on from the same number."""
        self.__init__()  # type: ignore[misc]  # a plain reset of our own class


def _fresh_counter() -> int:
    """Return a random start whose highest bit is clear, so that it can count (RFC 9562, 6.2)."""
    return secrets.randbits(_COUNTER_BITS - 1)


_clock = _Clock()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_clock.forget)


def uuid7() -> uuid.UUID:
    """Return a new UUID version 7 (RFC 9562, 5.7 and 6.2 method 1).

    Each is greater than all that this process made before, also within one millisecond and when
    the system's clock steps back. 32 random bits remain in each.
    """
    milliseconds, counter = _clock.tick()
    value = (milliseconds & ((1 << 48) - 1)) << 80
    value |= 0x7 << 76
    value |= (counter >> _LOW_COUNTER_BITS) << 64
    value |= 0b10 << 62
    value |= (counter & ((1 << _LOW_COUNTER_BITS) - 1)) << _TAIL_BITS
    value |= secrets.randbits(_TAIL_BITS)
    return uuid.UUID(int=value)
