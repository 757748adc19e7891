"""Ask the outbound client for everything that must not be called, in every notation: nothing connects.

``python -m tests.drills.ssrf``. Each vector is asked of the client with an answer of the resolver; an audit hook of
Python sees every socket that would connect and stops it. First the client is given four naive checks, and the vectors
have to get through each of them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

INNER = (
    ("127.0.0.1", "loopback"),
    ("127.0.0.53", "loopback"),
    ("127.255.255.254", "loopback"),
    ("0.0.0.0", "this host"),  # noqa: S104
    ("0.1.2.3", "this network"),
    ("10.0.0.1", "private"),
    ("10.255.255.255", "private"),
    ("172.16.0.1", "private"),
    ("172.31.255.254", "private"),
    ("192.168.0.1", "private"),
    ("192.168.255.254", "private"),
    ("100.64.0.1", "carriers"),
    ("100.100.100.200", "metadata"),
    ("100.127.255.254", "carriers"),
    ("169.254.169.254", "metadata"),
    ("169.254.170.2", "metadata"),
    ("169.254.0.1", "link-local"),
    ("168.63.129.16", "metadata"),
    ("192.0.0.192", "metadata"),
    ("192.0.2.1", "documentation"),
    ("192.88.99.1", "6to4 relay"),
    ("192.31.196.1", "AS112"),
    ("192.52.193.1", "AMT"),
    ("192.175.48.1", "AS112"),
    ("198.18.0.1", "benchmarks"),
    ("198.19.255.254", "benchmarks"),
    ("198.51.100.7", "documentation"),
    ("203.0.113.9", "documentation"),
    ("224.0.0.1", "multicast"),
    ("239.255.255.250", "multicast"),
    ("240.0.0.1", "reserved"),
    ("255.255.255.255", "broadcast"),
    ("::1", "loopback"),
    ("::", "unspecified"),
    ("::ffff:127.0.0.1", "mapped"),
    ("::ffff:169.254.169.254", "mapped"),
    ("::ffff:10.0.0.1", "mapped"),
    ("::ffff:0:127.0.0.1", "translated"),
    ("::127.0.0.1", "compatible"),
    ("::8.8.8.8", "compatible"),
    ("64:ff9b::127.0.0.1", "NAT64"),
    ("64:ff9b::10.0.0.1", "NAT64"),
    ("64:ff9b::169.254.169.254", "NAT64"),
    ("64:ff9b:1::1", "local NAT64"),
    ("2002:7f00:1::", "6to4"),
    ("2002:a00:1::1", "6to4"),
    ("2002:808:808::1", "6to4"),
    ("2001:0:7f00:1::", "Teredo"),
    ("2001:0:808:808:8000:1:8080:1", "Teredo"),
    ("2001:10::1", "ORCHID"),
    ("2001:20::1", "ORCHID"),
    ("2001:2::1", "benchmarks"),
    ("2001:db8::1", "documentation"),
    ("3fff::1", "documentation"),
    ("5f00::1", "segment routing"),
    ("100::1", "discard"),
    ("fc00::1", "unique local"),
    ("fd00:ec2::254", "metadata"),
    ("fdff:ffff::1", "unique local"),
    ("fe80::1", "link-local"),
    ("fe80::a9fe:a9fe", "link-local"),
    ("febf::1", "link-local"),
    ("fec0::1", "site-local"),
    ("ff02::1", "multicast"),
    ("ff0e::1", "multicast"),
    ("2620:4f:8000::1", "AS112"),
    ("2600::5efe:127.0.0.1", "ISATAP"),
    ("2600::200:5efe:10.0.0.1", "ISATAP"),
)
"""Addresses that are no host's of the internet."""

PUBLIC_4, PUBLIC_6 = "93.184.216.34", "2606:2800:220:1::1"
NAME = "hooks.example.org"

WRITTEN = (
    "http://93.184.216.34/",
    "http://hooks.example.org/",
    "https://93.184.216.34:22/",
    "https://93.184.216.34:25/",
    "https://93.184.216.34:80/",
    "https://93.184.216.34:1023/",
    "https://127.1/",
    "https://127.0.1/",
    "https://127.0.0.1:8443/",
    "https://2130706433/",
    "https://017700000001/",
    "https://0x7f000001/",
    "https://0x7f.0x0.0x0.0x1/",
    "https://0x7f.1/",
    "https://0177.0.0.1/",
    "https://0177.0.0.01/",
    "https://00000127.0.0.1/",
    "https://127.0.0.1./",
    "https://127.0.0.0x1/",
    "https://127.000.000.001/",
    "https://10.0x000001/",
    "https://3232235521/",
    "https://192.168.1/",
    "https://0/",
    "https://0./",
    "https://00/",
    "https://0x0/",
    "https://1.1.1.1.1/",
    "https://256.256.256.256/",
    "https://4294967296/",
    "https://127%2e0%2e0%2e1/",
    "https://127.0.0.1%00.example.org/",
    "https://%31%32%37.0.0.1/",
    "https://\u2460\u2461\u2466.\u24ea.\u24ea.\u2460/",
    "https://\uff11\uff12\uff17.0.0.1/",
    "https://127\u30020\u30020\u30021/",
    "https://127\uff0e0\uff0e0\uff0e1/",
    "https://ex\u00e4mple.org/",
    "https://localhost\u2024/",
    "https://[::1]/",
    "https://[::]/",
    "https://[0:0:0:0:0:0:0:1]/",
    "https://[0000::0001]/",
    "https://[::1%25lo]/",
    "https://[::1%lo]/",
    "https://[fe80::1%25eth0]/",
    "https://[fe80::1%eth0]/",
    "https://[2606:2800:220:1::1%25eth0]/",
    "https://[::ffff:7f00:1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[0:0:0:0:0:ffff:127.0.0.1]/",
    "https://[::ffff:127.1]/",
    "https://[::ffff:0x7f.0.0.1]/",
    "https://[v1.fe80::a]/",
    "https://[127.0.0.1]/",
    "https://[::1/",
    "https://::1]/",
    "https://::1/",
    "https://[]/",
    "https://[[::1]]/",
    "https://user@hooks.example.org/",
    "https://user:password@hooks.example.org/",
    "https://hooks.example.org@127.0.0.1/",
    "https://hooks.example.org:443@127.0.0.1/",
    "https://hooks.example.org%40127.0.0.1/",
    "https://127.0.0.1#@hooks.example.org/",
    "https://127.0.0.1\\@hooks.example.org/",
    "https://hooks.example.org\\@127.0.0.1/",
    "https://hooks.example.org\\.127.0.0.1/",
    "https:\\\\127.0.0.1/",
    "https:/127.0.0.1/",
    "https:///127.0.0.1/",
    "https:127.0.0.1",
    "//127.0.0.1/",
    "127.0.0.1",
    "https://127.0.0.1 /",
    "https:// 127.0.0.1/",
    " https://127.0.0.1/",
    "https://hooks.example.org /",
    "https://hooks.example.org\t/",
    "https://hooks.example.org/\r\nX-Injected: 1",
    "https://hooks.example.org/ HTTP/1.1\r\nHost: inner",
    "https://hooks.example.org\r\n.inner/",
    "https://hooks.example.org\x00.inner/",
    "https://hooks.example.org/#fragment",
    "https://hooks.example.org:0/",
    "https://hooks.example.org:65536/",
    "https://hooks.example.org:99999/",
    "https://hooks.example.org:-1/",
    "https://hooks.example.org:443:443/",
    "https://hooks.example.org:4\u06633/",
    "https://hooks.example.org:/",
    "https://hooks.example.org:22/",
    "https://hooks.example.org:25/",
    "https://hooks..example.org/",
    "https://.example.org/",
    "https://-hooks.example.org/",
    "https://hooks.example.123/",
    "https://hooks.example.0x7f/",
    "https:///",
    "https://",
    "",
    "ftp://hooks.example.org/",
    "file:///etc/passwd",
    "file://127.0.0.1/etc/passwd",
    "gopher://127.0.0.1:6379/_FLUSHALL",
    "dict://127.0.0.1:11211/stat",
    "ldap://127.0.0.1/",
    "tftp://127.0.0.1/x",
    "jar:https://127.0.0.1!/",
    "data:text/plain,x",
    "javascript:alert(1)",
    "unix:///var/run/docker.sock",
    "http+unix://%2Fvar%2Frun%2Fdocker.sock/",
    "HTTP://127.0.0.1/",
    "HtTpS://127.0.0.1/",
    "ws://127.0.0.1/",
    "https://" + "a" * 64 + ".example.org/",
    "https://" + "a." * 130 + "org/",
    "https://hooks.example.org/" + "a" * 2000,
)
"""Addresses that lead inside by their notation, or are none; names among them have a public address here."""


@dataclass(frozen=True)
class Vector:
    """A URL, and what its name stands for at each look-up, the last answer for all that follow."""

    url: str
    answers: Sequence[Sequence[str]] = ((PUBLIC_4,),)


def vectors() -> Iterator[Vector]:
    """Yield all: what is written so, names for inner addresses, mixed answers, and names that change them."""
    yield from (Vector(url) for url in WRITTEN)
    for address, _what in INNER:
        yield Vector(f"https://[{address}]:8443/" if ":" in address else f"https://{address}:8443/")
        yield Vector(f"https://{NAME}/", [[address]])
        yield Vector(f"https://{NAME}/", [[PUBLIC_4, address]])
        yield Vector(f"https://{NAME}/", [[PUBLIC_6, PUBLIC_4, address]])
        yield Vector(f"https://{NAME}/", [[address, PUBLIC_4]])
    for scoped in ("fe80::1%eth0", "2606:2800:220:1::1%eth0", "no address"):
        yield Vector(f"https://{NAME}/", [[scoped]])
    yield Vector(f"https://{NAME}/", [[]])


@dataclass
class Seen:
    """Where sockets would have connected to, and how often names were looked up."""

    connections: list[Any] = field(default_factory=list)
    system_look_ups: list[Any] = field(default_factory=list)
    look_ups: int = 0


_watching: list[Seen] = []
_hooked: list[bool] = []


class Stopped(ConnectionRefusedError):
    """The drill lets nothing out."""


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if not _watching or event not in ("socket.connect", "socket.getaddrinfo", "socket.sendto"):
        return
    if event == "socket.getaddrinfo":
        _watching[-1].system_look_ups.append(arguments[0])
        raise Stopped
    _watching[-1].connections.append(arguments[1])
    raise Stopped


@contextmanager
def watched() -> Iterator[Seen]:
    """See, and stop, whatever connects or is looked up by the system, in the block."""
    if not _hooked:  # a hook stays for as long as the process lives
        sys.addaudithook(_watch)
        _hooked.append(True)
    _watching.append(Seen())
    try:
        yield _watching[-1]
    finally:
        _watching.pop()


def ask(vector: Vector) -> Seen:
    """Send a request to ``vector`` and return what would have connected; a refusal is expected."""
    from platform_core.outbound import OutboundError, send

    with watched() as seen:

        def resolve(_host: str, _port: int) -> Sequence[str]:
            answer = vector.answers[min(seen.look_ups, len(vector.answers) - 1)]
            seen.look_ups += 1
            return answer

        try:
            send("POST", vector.url, headers={}, most_bytes=10, resolver=resolve)
        except OutboundError:
            return seen
    raise AssertionError(f"{vector} was answered")


def breaches() -> list[tuple[Vector, Any]]:
    """Return the vectors that connect, and where to."""
    found = [(one, ask(one)) for one in vectors()]
    return [(one, seen.connections) for one, seen in found if seen.connections or seen.system_look_ups]  # fmt: skip


def rebinding() -> Seen:
    """Ask for a name that is public when it is judged and inner afterwards; the public address alone may be tried."""
    return ask(Vector(f"https://{NAME}/", [[PUBLIC_4], ["127.0.0.1"], ["169.254.169.254"]]))


def _by_name(host: str) -> bool:
    return host in ("localhost", "127.0.0.1", "169.254.169.254")


def naive_checks() -> dict[str, Callable[[Any], None]]:
    """Return ways to judge that are wrong, by what they forget; each is given to ``planted``."""
    from ipaddress import IPv4Address

    from platform_core.outbound import AddressRefused

    def judging(is_bad: Callable[[Any], bool]) -> Callable[[Any], None]:
        def judge(_target: Any, address: Any) -> None:
            if is_bad(address):
                raise AddressRefused

        return judge  # type: ignore[return-value]

    return {
        "a list of bad names": judging(lambda one: _by_name(str(one))),
        "private addresses only": judging(lambda one: one.is_private),
        "loopback only": judging(lambda one: one.is_loopback),
        "IPv4 only": judging(lambda one: isinstance(one, IPv4Address) and not one.is_global),
    }


@contextmanager
def planted(judge: Any) -> Iterator[None]:
    """Let the client judge addresses by ``judge`` in the block."""
    from platform_core.outbound import resolving

    kept = resolving.judge
    resolving.judge = judge
    try:
        yield
    finally:
        resolving.judge = kept


@contextmanager
def first_answer_only() -> Iterator[None]:
    """Let the client judge the first answer and connect to any: a fault to be found."""
    from platform_core.outbound import resolving

    first: list[Any] = []
    kept = resolving.judge

    def judge(target: Any, address: Any) -> None:
        if target is not (first[-1] if first else None):
            first.append(target)
            kept(target, address)

    with planted(judge):
        yield


@contextmanager
def connecting_by_name() -> Iterator[None]:
    """Let the client look the name up again when it connects: a fault to be found."""
    from platform_core.outbound import client

    kept = client.connect

    def connect(target: Any, addresses: Any, deadline: Any) -> Any:
        import socket

        return socket.create_connection((target.host, target.port))

    client.connect = connect
    try:
        yield
    finally:
        client.connect = kept


def main() -> int:
    """Run the drill; return 1 when a planted fault goes unseen or a vector connects."""
    import django

    django.setup()
    for what, judge in naive_checks().items():
        with planted(judge):
            found = breaches()
        print(f"planted: {what}: {len(found)} vectors connect")
        if not found:
            return 1
    with first_answer_only():
        found = breaches()
    print(f"planted: the first answer only: {len(found)} vectors connect")
    with connecting_by_name():
        again = rebinding().system_look_ups
    print(f"planted: connecting by name: looked up again {again}")
    if not found or not again:
        return 1
    found = breaches()
    seen = rebinding()
    print(f"{sum(1 for _ in vectors())} vectors, {len(found)} connect")
    print(f"a name that changes: {seen.look_ups} look-up, connections to {seen.connections}")
    for vector, where in found:
        print(f"FAULT: {vector} connects to {where}")
    right = seen.look_ups == 1 and seen.connections == [(PUBLIC_4, 443)]
    return 0 if right and not found else 1


if __name__ == "__main__":
    sys.exit(main())
