"""The platform's one HTTP client: where it goes, whom it believes, and how long it listens."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from platform_core.outbound import (
    AddressRefused,
    Answer,
    AnswerInvalid,
    AnswerTooLarge,
    NameUnknown,
    OutboundError,
    TimedOut,
    TLSFailed,
    Unreachable,
    check_url,
    send,
    wire,
)
from tests.core.outbound.allowing import LOOPBACK, allow
from tests.core.outbound.servers import certificate_for, saying, talking
from tests.drills import ssrf

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
NAME = "hooks.example.org"


@pytest.fixture(autouse=True)
def _loopback(settings: Any) -> None:
    allow(settings, *LOOPBACK)


def ask(port: int, **values: Any) -> Answer:
    values = {"headers": {}, "most_bytes": 100, "timeout_s": 5, **values}
    return send("POST", f"http://127.0.0.1:{port}/in?a=1", **values)


def loopback(_host: str, _port: int) -> Sequence[str]:
    return ["127.0.0.1"]


class TestWhere:
    def test_nothing_connects_to_what_is_not_public(self, settings: Any) -> None:
        allow(settings)

        assert sum(1 for _ in ssrf.vectors()) >= 150
        assert ssrf.breaches() == []

    @pytest.mark.parametrize("what", ssrf.naive_checks())
    def test_the_vectors_get_through_naive_checks(self, what: str, settings: Any) -> None:
        allow(settings)
        with ssrf.planted(ssrf.naive_checks()[what]):
            assert len(ssrf.breaches()) > 100

    def test_a_check_of_one_answer_is_caught(self, settings: Any) -> None:
        allow(settings)
        with ssrf.first_answer_only():
            assert ssrf.breaches()

    def test_a_name_is_looked_up_once_and_the_judged_address_is_called(self, settings: Any) -> None:
        allow(settings)
        seen = ssrf.rebinding()
        assert (seen.look_ups, seen.connections) == (1, [(ssrf.PUBLIC_4, 443)])
        with ssrf.connecting_by_name():
            assert ssrf.rebinding().system_look_ups == [ssrf.NAME]

    def test_only_what_is_allowed_is_called_beside_the_public(self, settings: Any) -> None:
        allow(settings, "10.1.0.0/16")
        check_url("http://10.1.2.3:8080/")
        for url in ("http://10.2.0.1/", "http://[::ffff:10.2.0.1]/", "https://127.0.0.1/"):
            with pytest.raises(AddressRefused):
                check_url(url)

    def test_a_redirect_is_an_answer(self) -> None:
        asked: list[bytes] = []
        with talking(lambda one: asked.append(one.recv(100))) as inner:
            moved = f"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:{inner}/\r\nContent-Length: 0\r\n\r\n"
            with talking(saying(moved.encode())) as port:
                assert ask(port).status == 302
        assert asked == []

    def test_proxies_of_the_environment_are_not_asked(self, monkeypatch: Any) -> None:
        asked: list[bytes] = []
        with (
            talking(lambda one: asked.append(one.recv(100))) as proxy,
            talking(saying(HEAD + b"hello")) as port,
        ):
            for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy", "ALL_PROXY"):
                monkeypatch.setenv(name, f"http://127.0.0.1:{proxy}")
            assert ask(port).body == b"hello"
        assert asked == []

    def test_what_is_asked_for_stands_in_the_request(self) -> None:
        heard: list[bytes] = []

        def talk(connection: Any) -> None:
            heard.append(connection.recv(65_536))
            connection.sendall(HEAD + b"hello")

        with talking(talk) as port:
            url = f"http://{NAME}:{port}/in?a=1"
            given = {"Cookie-Free": "yes", "Host": "a.example.org", "hOST": "b.example.org"}
            send("POST", url, headers=given, body=b"x", most_bytes=10, resolver=loopback)
        head = heard[0].decode().lower()
        assert head.startswith("post /in?a=1 http/1.1\r\n")
        assert head.count("\r\nhost: ") == 1
        assert f"\r\nhost: {NAME}:{port}\r\n" in head
        assert "\r\ncookie:" not in head

    def test_nothing_is_put_into_the_head_of_a_request(self) -> None:
        with (
            talking(saying(HEAD + b"hello")) as port,
            pytest.raises(ValueError, match="Invalid header"),
        ):
            ask(port, headers={"X": "1\r\nY: 2"})
        for name in ("Content-Length", "transfer-encoding", "Upgrade", "Expect"):
            with talking(saying(HEAD)) as port, pytest.raises(ValueError, match="for the caller"):
                ask(port, headers={name: "1"})


class TestWhom:
    def test_the_certificate_is_judged_by_the_name(self, tmp_path: Path, monkeypatch: Any) -> None:
        context, file = certificate_for(NAME, tmp_path)
        names: list[str | None] = []
        context.sni_callback = lambda _socket, name, _context: names.append(name)
        with talking(saying(HEAD + b"hello"), context=context) as port:

            def ask_as(name: str) -> Answer:
                url = f"https://{name}:{port}/"
                return send("POST", url, headers={}, most_bytes=10, resolver=loopback)

            monkeypatch.setenv("SSL_CERT_FILE", str(file))
            wire.tls_context.cache_clear()
            assert ask_as(NAME).body == b"hello"
            assert names == [NAME]
            for other in ("other.example.org", "localhost", "127.0.0.1"):
                with pytest.raises(TLSFailed):
                    ask_as(other)
            monkeypatch.delenv("SSL_CERT_FILE")
            wire.tls_context.cache_clear()
            with pytest.raises(TLSFailed):
                ask_as(NAME)

    def test_what_speaks_no_tls_is_refused(self) -> None:
        with talking(saying(HEAD)) as port, pytest.raises(TLSFailed):
            send("POST", f"https://127.0.0.1:{port}/", headers={}, most_bytes=10)


class TestHowLong:
    @pytest.mark.parametrize(
        "pieces",
        [
            [b"H"] * 200,
            [b"HTTP/1.1 100 Continue\r\n\r\n"] * 200,
            [b"HTTP/1.1 200 OK\r\n", *[b"X: y\r\n"] * 90],
        ],
    )
    def test_a_dripping_head_ends_with_the_deadline(self, pieces: list[bytes]) -> None:
        started = time.monotonic()
        with talking(saying(*pieces, pause_s=0.1)) as port, pytest.raises(TimedOut):
            ask(port, timeout_s=0.5)
        assert time.monotonic() - started < 8

    def test_a_dripping_body_is_cut_at_the_deadline(self) -> None:
        head = b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n"
        with talking(saying(head, *[b"x"] * 400, pause_s=0.05)) as port:
            answer = ask(port, timeout_s=2, most_bytes=400)
        assert (answer.status, answer.is_whole) == (200, False)
        assert len(answer.body) < 400

    def test_a_silent_server_and_a_slow_resolver_are_left(self) -> None:
        with talking(lambda _connection: time.sleep(2)) as port, pytest.raises(TimedOut):
            ask(port, timeout_s=0.3)
        started = time.monotonic()
        with pytest.raises(TimedOut):
            send(
                "POST",
                f"https://{NAME}/",
                headers={},
                most_bytes=1,
                timeout_s=0.3,
                resolver=lambda _host, _port: time.sleep(20) or [],  # type: ignore[func-returns-value]
            )
        assert time.monotonic() - started < 15

    @pytest.mark.parametrize(
        "head",
        [
            b"HTTP/1.1 200 " + b"O" * 200_000,
            b"HTTP/1.1 200 OK\r\nX: " + b"y" * 200_000,
            b"HTTP/1.1 200 OK\r\n" + b"".join(b"X%d: %s\r\n" % (n, b"y" * 900) for n in range(90)),
            b"HTTP/1.1 100 Continue\r\n\r\n" * 10_000,
        ],
    )
    def test_too_large_a_head_is_refused(self, head: bytes) -> None:
        with talking(saying(head)) as port, pytest.raises((AnswerTooLarge, AnswerInvalid)):
            ask(port)

    @pytest.mark.parametrize(
        "framing",
        [
            b"Content-Length: 100000000\r\n\r\n",
            b"\r\n",
            b"Transfer-Encoding: chunked\r\n\r\n5f5e100\r\n",
        ],
    )
    def test_of_a_huge_body_the_beginning_is_read(self, framing: bytes) -> None:
        with talking(saying(b"HTTP/1.1 200 OK\r\n" + framing, b"x" * 2_000_000)) as port:
            answer = ask(port)
        assert (answer.body, answer.is_whole) == (b"x" * 100, False)

    def test_a_body_of_marks_only_ends_too(self) -> None:
        chunk = b"1;" + b"e" * 5_000 + b"\r\nx\r\n"
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        with talking(saying(head, *[chunk] * 200)) as port:
            answer = ask(port)
        assert (answer.status, answer.is_whole) == (200, False)

    @pytest.mark.parametrize(
        ("talk", "error"),
        [
            (saying(b"hello\r\n\r\n"), AnswerInvalid),
            (saying(b""), Unreachable),
            (saying(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 150 + b"\r\n"), AnswerInvalid),
        ],
    )
    def test_what_is_no_answer_is_told_apart(self, talk: Any, error: type[OutboundError]) -> None:
        with talking(talk) as port, pytest.raises(error):
            ask(port)

    def test_nobody_there(self) -> None:
        with talking(saying()) as port:
            pass
        with pytest.raises(Unreachable):
            ask(port)

        def unknown(_host: str, _port: int) -> Sequence[str]:
            raise OSError

        with pytest.raises(NameUnknown):
            send("POST", f"https://{NAME}/", headers={}, most_bytes=1, resolver=unknown)
