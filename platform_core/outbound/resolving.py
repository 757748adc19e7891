"""Look a name up once, within the time that the call has, and judge every answer."""

from __future__ import annotations

import queue
import socket
import threading
import time
from collections.abc import Callable, Sequence
from ipaddress import ip_address

from platform_core.outbound.addresses import Address
from platform_core.outbound.errors import AddressRefused, NameUnknown, TimedOut
from platform_core.outbound.targets import Target, judge

Resolver = Callable[[str, int], Sequence[str]]
"""Returns the addresses of a name, for a port; raises OSError when there are none."""


class Deadline:
    """The moment at which a call has to be over."""

    def __init__(self, seconds: float) -> None:
        """Let it be so many ``seconds`` from now."""
        self._at = time.monotonic() + seconds

    def left(self) -> float:
        """Return the seconds that are left; raises TimedOut when there are none."""
        left = self._at - time.monotonic()
        if left <= 0:
            raise TimedOut
        return left


def ask_system(host: str, port: int) -> Sequence[str]:
    """Return what the system's resolver says."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(one[4][0]) for one in found]


def addresses_of(target: Target, deadline: Deadline, resolver: Resolver) -> Sequence[Address]:
    """Return the addresses at which ``target`` may be called; one that it may not be called at refuses all.

    Raises NameUnknown, TimedOut and AddressRefused.
    """
    if target.literal is not None:
        found: Sequence[Address] = [target.literal]
    else:
        found = [_address(one) for one in _looked_up(target, deadline, resolver)]
    if not found:
        raise NameUnknown
    for one in found:
        judge(target, one)
    return list(dict.fromkeys(found))


def _address(text: str) -> Address:
    try:
        return ip_address(text)
    except ValueError:
        raise AddressRefused from None


def _looked_up(target: Target, deadline: Deadline, resolver: Resolver) -> Sequence[str]:
    """Return what ``resolver`` says, asked in a thread: the system's own one knows no time limit."""
    answers: queue.SimpleQueue[Sequence[str] | None] = queue.SimpleQueue()

    def ask() -> None:
        try:
            answers.put(resolver(target.host, target.port))
        except (OSError, UnicodeError):
            answers.put(None)

    threading.Thread(target=ask, name="look-up", daemon=True).start()
    try:
        found = answers.get(timeout=deadline.left())
    except queue.Empty:
        raise TimedOut from None
    if found is None:
        raise NameUnknown
    return found
