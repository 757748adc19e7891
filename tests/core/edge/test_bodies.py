"""A real server counts bodies: too long is 413 before it is sent, cut off is 400, chunks are read as any other body."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from tests.deployments import TestDeployment
from tests.served import Served, serve

LOGIN = "/api/v1/identity/auth/app/v1/auth/login"
USERS = "/api/v1/identity/users/"
LIMIT = 20_000


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("bodies") / "deployment"
    folder.mkdir()
    TestDeployment(folder, "").write(plugins=["identity"])
    limits = {
        "PLATFORM_BODY_LIMIT": str(LIMIT),
        "PLATFORM_BODY_LIMITS": json.dumps({"multipart/form-data": 2 * LIMIT}),
        "PLATFORM_RATE_LIMIT_ANONYMOUS": "off",
    }
    with serve(folder, "--workers", "1", environment=limits) as found:
        yield found


def talk(served: Served, sent: bytes, *, end: bool = False) -> tuple[int, bytes]:
    """Send bytes as they are and return status and everything that is answered; ``end`` says that no more comes."""
    host = urlsplit(served.url)
    with socket.create_connection((host.hostname or "", host.port or 0), timeout=20) as wire:
        wire.sendall(sent)
        if end:
            wire.shutdown(socket.SHUT_WR)
        found = wire.recv(65536)
        wire.settimeout(0.5)
        try:
            while part := wire.recv(65536):
                found += part
        except TimeoutError:  # kept open for the next request
            pass
    return int(found.split(b" ", 2)[1]), found


def head(path: str, *lines: str, method: str = "POST") -> bytes:
    kept = [f"{method} {path} HTTP/1.1", "Host: localhost", *lines]
    return "\r\n".join([*kept, "", ""]).encode()


JSON = "Content-Type: application/json"
CHUNKED = "Transfer-Encoding: chunked"


def chunks(body: bytes, size: int) -> bytes:
    parts = [body[start : start + size] for start in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(one), one) for one in parts) + b"0\r\n\r\n"


def credentials(**more: str) -> bytes:
    return json.dumps({"email": "nobody@example.org", "password": "x", **more}).encode()


@pytest.mark.parametrize("length", [LIMIT + 1, 2**30, 2**70, 10**4000])
def test_what_is_announced_too_long_is_refused_before_it_is_sent(
    served: Served, length: int
) -> None:
    status, answer = talk(served, head(USERS, JSON, f"Content-Length: {length}"))
    assert status in (413, 400)
    if length < 2**64:
        assert status == 413
        assert b"application/problem+json" in answer
        assert b"Content-Security-Policy" in answer
        assert b"Connection: close" in answer or b"too_large" in answer


def test_chunks_are_read_as_any_other_body(served: Served) -> None:
    body = credentials()
    whole = talk(served, head(LOGIN, JSON, f"Content-Length: {len(body)}") + body)
    in_chunks = talk(served, head(LOGIN, JSON, CHUNKED) + chunks(body, 7))
    assert in_chunks[0] == whole[0]
    assert in_chunks[0] in (400, 401)
    told = [json.loads(answer.split(b"\r\n\r\n", 1)[1]) for _, answer in (whole, in_chunks)]
    assert told[0]["errors"] == told[1]["errors"]  # of the password, not of a missing body


def test_endless_chunks_are_refused_where_the_limit_is_passed(served: Served) -> None:
    many = b"".join(b"400\r\n%s\r\n" % (b"x" * 1024) for _ in range(LIMIT // 1024 + 2))
    status, answer = talk(served, head(USERS, JSON, CHUNKED) + many)  # and it does not end
    assert status == 413
    assert b"too_large" in answer


def test_a_body_that_ends_before_its_length_is_not_taken_for_a_whole_one(served: Served) -> None:
    body = credentials()
    for path in (USERS, LOGIN):
        cut = head(path, JSON, f"Content-Length: {len(body) + 100}") + body
        status, _ = talk(served, cut, end=True)
        assert status == (401 if path == USERS else 400)


def test_a_body_longer_than_its_length_is_no_second_request(served: Served) -> None:
    body = credentials()
    sent = head(LOGIN, JSON, f"Content-Length: {len(body) - 10}") + body
    _, answer = talk(served, sent)
    statuses = [int(part[:3]) for part in answer.split(b"HTTP/1.1 ")[1:]]
    assert statuses[0] == 400
    assert set(statuses[1:]) <= {400}


@pytest.mark.parametrize(
    "lines",
    [
        ("Content-Length: -1",),
        ("Content-Length: +5",),
        ("Content-Length: 5x",),
        ("Content-Length: 5", "Content-Length: 6"),
        ("Content-Length: 5", CHUNKED),
        ("Transfer-Encoding: gzip",),
        ("Transfer-Encoding: chunked, chunked",),
    ],
)
def test_a_length_that_is_none_is_400(served: Served, lines: tuple[str, ...]) -> None:
    status, _ = talk(served, head(USERS, JSON, *lines) + b"hello")
    assert status in (400, 501)


@pytest.mark.parametrize("broken", [b"zz\r\nhello\r\n0\r\n\r\n", b"5\r\nhelloXX0\r\n\r\n"])
def test_chunks_that_are_none_are_400(served: Served, broken: bytes) -> None:
    status, _ = talk(served, head(USERS, JSON, CHUNKED) + broken, end=True)
    assert status == 400


def test_a_form_with_files_in_chunks_needs_a_length(served: Served) -> None:
    form = "Content-Type: multipart/form-data; boundary=b"
    status, answer = talk(served, head(USERS, form, CHUNKED) + chunks(b"--b--\r\n", 4))
    assert (status, b"length_required" in answer) == (411, True)


def test_another_kind_of_body_has_a_limit_of_its_own(served: Served) -> None:
    form = "Content-Type: multipart/form-data; boundary=b"
    assert talk(served, head(USERS, form, f"Content-Length: {2 * LIMIT + 1}"))[0] == 413
    body = b"x" * (LIMIT + 1)
    assert talk(served, head(USERS, form, f"Content-Length: {len(body)}") + body)[0] == 401


def test_the_server_answers_on_afterwards(served: Served) -> None:
    """And HEAD has no body on the wire."""
    status, answer = talk(served, head("/api/openapi.json", method="HEAD"))
    assert status == 200
    assert answer.endswith(b"\r\n\r\n")
    status, answer = talk(served, head(USERS, method="OPTIONS"))
    assert (status, answer.endswith(b"\r\n\r\n")) == (204, True)
