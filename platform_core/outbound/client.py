"""``send``: one call to elsewhere, on a connection of its own to an address that was judged before."""

from __future__ import annotations

import http.client
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from platform_core import __version__
from platform_core.outbound.errors import AnswerInvalid, OutboundError, Unreachable
from platform_core.outbound.resolving import Deadline, Resolver, addresses_of, ask_system
from platform_core.outbound.targets import Target, target_of
from platform_core.outbound.wire import Wire, connect

TIMEOUT_S: Final = 20.0
MOST_HEAD_BYTES: Final = 65_536
_FRAMES: Final = frozenset({"content-length", "transfer-encoding", "upgrade", "expect"})
_FRAMING: Final = 2
"""A body may come in chunks, whose marks count; so many times its length may be read for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back: the status, the headers by their names in lower case, and the beginning of the body."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    is_whole: bool
    """Whether ``body`` is all of it: there was not more than was asked for, and it came in time."""


def send(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str],
    body: bytes = b"",
    most_bytes: int,
    timeout_s: float = TIMEOUT_S,
    resolver: Resolver = ask_system,
) -> Answer:
    """Send a request and return the answer with the first ``most_bytes`` of its body.

    The name is looked up once, every address that it has must be one that may be called, and the connection goes to
    one of them; it is for the name that the certificate has to be valid. A redirect is an answer like any other.
    Proxies of the environment are not asked. ``timeout_s`` is for all of it together. Raises ``OutboundError``.
    """
    target = target_of(url)
    deadline = Deadline(timeout_s)
    addresses = addresses_of(target, deadline, resolver)
    try:
        with connect(target, addresses, deadline) as connection:
            wire = Wire(connection, deadline, MOST_HEAD_BYTES)
            response = _answered(wire, target, method, headers, body)
            return _read(wire, response, most_bytes)
    except http.client.RemoteDisconnected as error:
        raise Unreachable from error
    except http.client.HTTPException as error:
        raise AnswerInvalid from error
    except OSError as error:
        raise Unreachable from error


def _answered(
    wire: Wire, target: Target, method: str, headers: Mapping[str, str], body: bytes
) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection(target.host, target.port)
    connection.auto_open = 0  # it never connects by itself
    connection.sock = wire
    own = {
        "host": target.authority,
        "user-agent": f"platform-core/{__version__}",
        "accept-encoding": "identity",
        "connection": "close",
    }
    given = {name.lower(): value for name, value in headers.items()}
    if not given.keys().isdisjoint(_FRAMES):
        raise ValueError("How long the body is, is not for the caller to say.")
    connection.request(method, target.path, body, {**given, **own})
    return connection.getresponse()


def _read(wire: Wire, response: http.client.HTTPResponse, most_bytes: int) -> Answer:
    wire.most_bytes += most_bytes * _FRAMING
    body, is_whole = b"", True
    try:
        while len(body) <= most_bytes and (more := response.read1(most_bytes + 1 - len(body))):
            body += more
    except (OutboundError, http.client.HTTPException, OSError):
        is_whole = False  # what was said before stands
    return Answer(
        status=response.status,
        headers={name.lower(): value for name, value in response.getheaders()},
        body=body[:most_bytes],
        is_whole=is_whole and len(body) <= most_bytes and not response.length,
    )
