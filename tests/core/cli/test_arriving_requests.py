"""When a request is whole, and that clients who send it or take its answer slowly cost nobody else theirs."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from platform_core.arriving import MOST_HELD, Arriving
from tests.deployments import TestDeployment
from tests.served import Served, owner_credentials, serve

POST = b"POST / HTTP/1.1\r\nHost: h\r\n"
CHUNKS = POST + b"Transfer-Encoding: chunked\r\n\r\n"
THREADS = 2
LIMITS = {"*/*": MOST_HELD, "application/json": 20}


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\nHost: h\r\n\r\n",
        POST + b"Content-Length: 3\r\n\r\nabc",
        POST + b"content-length : 3\r\n\r\nabcd",
        POST + b"Content-Type: application/json; x=y\r\nContent-Length: 3\r\n\r\nabc",
        CHUNKS + b"3\r\nabc\r\n0\r\n\r\n",
        CHUNKS + b"3;a=b\r\nabc\r\nA\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n",
    ],
)
def test_a_whole_request_is_enough_and_anything_less_is_not(data: bytes) -> None:
    assert Arriving(LIMITS, data).is_enough()
    arriving = Arriving(LIMITS)
    cut = len(data) - (2 if data.endswith(b"abcd") else 1)  # a byte of the next request, too
    for at in range(cut):
        arriving.add(data[at : at + 1])
        assert not arriving.is_enough(), data[: at + 1]


@pytest.mark.parametrize(
    "data",
    [
        b"x" * 70_000,
        POST + b"Content-Length: 1000000000\r\n\r\n",
        POST + b"Content-Length: " + b"9" * 5_000 + b"\r\n\r\n",
        POST + b"Content-Length: -1\r\n\r\n",
        POST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n",
        POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        POST + b"Content-Length: 5\r\nExpect: 100-continue\r\n\r\n",
        POST + b"Content-Type: application/json\r\nContent-Length: 21\r\n\r\n",
        POST + b"Content-Type: application/json\r\n" + CHUNKS[len(POST) :] + b"15\r\n",
        POST + b"Transfer-Encoding: gzip\r\n\r\nhello",
        POST + b"Transfer-Encoding: chunked, chunked\r\n\r\nhello",
        CHUNKS + b"many\r\n",
        CHUNKS + b"-5\r\n",
        CHUNKS + b"FFFFFFFF\r\n",
        CHUNKS + b"1" * 10_000,
        CHUNKS + b"5\r\nabcde\r\n" * (MOST_HELD // 10 + 1),
    ],
)
def test_what_is_too_long_or_odd_is_not_waited_for(data: bytes) -> None:
    assert Arriving(LIMITS, data).is_enough()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Served, str]]:
    folder: Path = tmp_path_factory.mktemp("slow") / "deployment"
    folder.mkdir(mode=0o700)
    TestDeployment(folder, "").write(plugins=["identity"])
    with serve(folder, "--workers", "1", "--threads", str(THREADS)) as found:
        yield found, found.sign_in(*owner_credentials(folder / "var"))


def connect(served: Served) -> socket.socket:
    host, port = served.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=30)


def head(token: str, *lines: str) -> bytes:
    own = ["POST /api/v1/identity/org-units/ HTTP/1.1", "Host: localhost", f"Authorization: Bearer {token}"]  # fmt: skip
    return "\r\n".join([*own, "Content-Type: application/json", *lines, "", ""]).encode()


def read_answer(connection: socket.socket) -> tuple[int, bytes]:
    """Read one answer whose length is announced."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(65536)
    told, _, body = data.partition(b"\r\n\r\n")
    lines = told.decode().split("\r\n")
    lengths = [one for one in lines if one.lower().startswith("content-length:")]
    length = int(lengths[0].split(":")[1]) if lengths else 0
    while len(body) < length:
        body += connection.recv(65536)
    assert len(body) == length, "more than one answer was read"
    return int(lines[0].split()[1]), body


def test_clients_that_send_slowly_occupy_no_thread(served: tuple[Served, str]) -> None:
    server, token = served
    slow = [connect(server) for _ in range(3 * THREADS)]
    for number, connection in enumerate(slow):
        request = head(token, "Content-Length: 100")
        connection.sendall(request if number % 2 else request[:30])

    assert server.request("GET", "/api/v1/identity/me/", token=token).status == 200
    for connection in slow:
        connection.sendall(b" ")
    assert server.request("GET", "/api/v1/identity/me/", token=token).status == 200

    for connection in slow:
        connection.close()


def test_a_body_in_pieces_is_one_body(served: tuple[Served, str]) -> None:
    server, token = served
    body = json.dumps({"name": "in pieces"}).encode()
    with connect(server) as connection:
        request = head(token, f"Content-Length: {len(body)}") + body
        for at in range(0, len(request), 40):
            connection.sendall(request[at : at + 40])
            threading.Event().wait(0.01)
        status, answer = read_answer(connection)
        assert (status, json.loads(answer)["name"]) == (201, "in pieces")

        connection.sendall(head(token, f"Content-Length: {len(body)}", "Expect: 100-continue"))
        assert connection.recv(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(body)
        assert read_answer(connection)[0] == 201


def test_the_next_request_on_a_connection_is_answered_too(served: tuple[Served, str]) -> None:
    server, token = served
    body = b'{"name": "first"}'
    chunked = head(token, "Transfer-Encoding: chunked") + b"%x\r\n%s\r\n0\r\n\r\n" % (
        len(body),
        body,
    )
    probe = b"GET /api/v1/identity/nothing/ HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with connect(server) as connection:
        connection.sendall(chunked)
        assert read_answer(connection)[0] == 201
        connection.sendall(probe + probe[:10])
        assert read_answer(connection)[0] == 404
        connection.sendall(probe[10:])
        assert read_answer(connection)[0] == 404


SCRIPT = "/static/drf_spectacular_sidecar/swagger-ui-dist/swagger-ui-bundle.js"


def test_clients_that_take_no_answer_occupy_no_thread(served: tuple[Served, str]) -> None:
    server, token = served
    whole = server.request("GET", SCRIPT).body
    assert len(whole) > 1_000_000
    host, port = server.url.removeprefix("http://").split(":")
    slow = []
    for _more in range(3 * THREADS):
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        connection.settimeout(30)
        connection.connect((host, int(port)))
        connection.sendall(f"GET {SCRIPT} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        slow.append(connection)

    assert server.request("GET", "/api/v1/identity/me/", token=token).status == 200

    for connection in slow:
        status, body = read_answer(connection)
        assert (status, body) == (200, whole)
        connection.sendall(b"GET /api/v1/identity/nothing/ HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert read_answer(connection)[0] == 404
        connection.close()


@pytest.mark.parametrize(
    ("path", "status"), [("/x/livez", 404), ("/api/v1/identity/me/", 401), ("/livez", 200)]
)
def test_no_header_moves_an_address(served: tuple[Served, str], path: str, status: int) -> None:
    server, _token = served
    with connect(server) as connection:
        head = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nSCRIPT_NAME: /x\r\nPATH_INFO: /livez\r\n"
        connection.sendall(f"{head}Connection: close\r\n\r\n".encode())
        assert connection.recv(100).startswith(f"HTTP/1.1 {status} ".encode())
