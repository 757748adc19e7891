"""A connection to an address that was judged, which ends at its deadline and after so many bytes, however they come."""

from __future__ import annotations

import io
import socket
import ssl
from collections.abc import Sequence
from functools import cache
from typing import Any, Final

from platform_core.outbound.addresses import Address
from platform_core.outbound.errors import AnswerTooLarge, TimedOut, TLSFailed, Unreachable
from platform_core.outbound.resolving import Deadline
from platform_core.outbound.targets import Target

MOST_ADDRESSES: Final = 4


@cache
def tls_context() -> ssl.SSLContext:
    """Return what certificates are judged by: those that the system trusts, and the name that was asked for."""
    return ssl.create_default_context()


def connect(target: Target, addresses: Sequence[Address], deadline: Deadline) -> socket.socket:
    """Connect to the first of ``addresses`` that takes it, with TLS for the name of ``target`` if it asks for that."""
    tried = addresses[:MOST_ADDRESSES]
    for number, address in enumerate(tried):
        try:
            # One that does not answer leaves time for the others.
            connection = _connected(address, target.port, deadline.left() / (len(tried) - number))
        except OSError:
            continue
        return connection if target.scheme == "http" else _secured(connection, target, deadline)
    deadline.left()
    raise Unreachable


def _connected(address: Address, port: int, timeout_s: float) -> socket.socket:
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    connection = socket.socket(family, socket.SOCK_STREAM)
    try:
        connection.settimeout(timeout_s)
        connection.connect((str(address), port))
    except BaseException:  # Ctrl-C too: no socket stays open
        connection.close()
        raise
    return connection


def _secured(connection: socket.socket, target: Target, deadline: Deadline) -> socket.socket:
    try:
        connection.settimeout(deadline.left())
        return tls_context().wrap_socket(connection, server_hostname=target.host)
    except ssl.SSLError as error:
        connection.close()
        raise TLSFailed from error
    except BaseException as error:  # Ctrl-C too: no socket stays open
        connection.close()
        if isinstance(error, TimeoutError):
            raise TimedOut from error
        if isinstance(error, OSError):
            raise Unreachable from error
        raise


class Wire(io.RawIOBase):
    """What ``http.client`` takes for a socket, and reads from: each step has only the time that is left."""

    def __init__(self, connection: socket.socket, deadline: Deadline, most_bytes: int) -> None:
        """Take over an open ``connection`` that may bring ``most_bytes``."""
        super().__init__()
        self._connection, self._deadline = connection, deadline
        self.most_bytes = most_bytes

    def makefile(self, mode: str) -> io.BufferedReader:
        """Return what is read from."""
        return io.BufferedReader(self)

    def readable(self) -> bool:
        """Tell that it can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read what is there; raises TimedOut, and AnswerTooLarge when it is more than may come."""
        if self.most_bytes <= 0:
            raise AnswerTooLarge
        view = memoryview(buffer)[: self.most_bytes]
        self._connection.settimeout(self._deadline.left())
        try:
            read = self._connection.recv_into(view)
        except TimeoutError:
            raise TimedOut from None
        self.most_bytes -= read
        return read

    def sendall(self, data: Any) -> None:
        """Send all of it within the time that is left."""
        self._connection.settimeout(self._deadline.left())
        try:
            self._connection.sendall(data)
        except TimeoutError:
            raise TimedOut from None

    def close(self) -> None:
        """Leave the connection to its owner, who closes it when the answer is read."""
