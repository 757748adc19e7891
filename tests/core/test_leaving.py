"""Answers that nobody takes: kept beside the socket within limits, whole and in order when they are taken."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from platform_core import leaving
from platform_core.leaving import LeavingSocket, Room

ANSWER = os.urandom(1 << 20)


@pytest.fixture
def room() -> Room:
    return Room()


@pytest.fixture
def pair(room: Room) -> Iterator[tuple[LeavingSocket, socket.socket]]:
    ours, theirs = socket.socketpair()
    ours.settimeout(5)
    found = LeavingSocket(ours, room)
    found.settimeout(5)
    yield found, theirs
    found.close()
    theirs.close()


def read(theirs: socket.socket, size: int) -> bytes:
    theirs.settimeout(5)
    data = b""
    while len(data) < size:
        data += theirs.recv(1 << 16)
    return data


def test_what_nobody_takes_waits_without_a_thread_and_comes_in_order(
    pair: tuple[LeavingSocket, socket.socket], room: Room, tmp_path: Path
) -> None:
    ours, theirs = pair
    (tmp_path / "file").write_bytes(b"-" + ANSWER + b"-")
    ours.sendall(b"head")
    ours.sendall(ANSWER)
    with (tmp_path / "file").open("rb") as file:
        assert ours.sendfile(file, 1, len(ANSWER)) == len(ANSWER)
    ours.sendall(b"end")
    assert ours.is_leaving
    assert not ours.flush()

    whole = b"head" + ANSWER + ANSWER + b"end"
    taken: list[bytes] = []
    reader = threading.Thread(target=lambda: taken.append(read(theirs, len(whole))))
    reader.start()
    while not ours.flush():
        pass
    reader.join()

    assert taken == [whole]
    assert not ours.is_leaving
    assert room.take(leaving.ALL_KEPT), "all room is given back"


def test_a_stream_waits_for_room_and_no_longer_than_it_may(
    pair: tuple[LeavingSocket, socket.socket], room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = pair
    monkeypatch.setattr(leaving, "MOST_KEPT", 2 << 20)
    monkeypatch.setattr(leaving, "SEND_S", 0.2)
    ours.sendall(ANSWER)
    ours.sendall(ANSWER)
    with pytest.raises(TimeoutError):
        ours.sendall(ANSWER)
    assert ours.is_overdue

    monkeypatch.setattr(leaving, "SEND_S", 5)
    taken: list[bytes] = []
    reader = threading.Thread(target=lambda: taken.append(read(theirs, 3 * len(ANSWER))))
    reader.start()
    ours.sendall(ANSWER)
    while not ours.flush():
        pass
    reader.join()
    assert taken == [3 * ANSWER]

    ours.sendall(ANSWER)
    ours.close()
    assert room.take(leaving.ALL_KEPT), "what is forgotten takes no room"


def test_no_answer_takes_more_room_than_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = socket.socketpair()
    with LeavingSocket(ours, Room(1000)) as sender, theirs:
        sender.settimeout(5)
        monkeypatch.setattr(leaving, "SEND_S", 0.1)
        with pytest.raises(TimeoutError):
            sender.sendall(ANSWER)
        assert not sender.is_leaving


def test_whoever_is_gone_is_noticed(
    pair: tuple[LeavingSocket, socket.socket], tmp_path: Path
) -> None:
    ours, theirs = pair
    ours.sendall(ANSWER)
    theirs.close()
    with pytest.raises(OSError, match="pipe|reset"):
        ours.flush()


def test_a_file_that_has_become_shorter_breaks_off(
    pair: tuple[LeavingSocket, socket.socket], tmp_path: Path
) -> None:
    ours, _theirs = pair
    (tmp_path / "file").write_bytes(b"short")
    with (tmp_path / "file").open("rb") as file, pytest.raises(ConnectionAbortedError):
        ours.sendfile(file, 0, 10)


def test_a_blocking_socket_is_as_usual(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"file")
    ours, theirs = socket.socketpair()
    with LeavingSocket(ours, Room()) as sender, theirs, (tmp_path / "file").open("rb") as file:
        sender.setblocking(True)
        sender.sendall(b"head")
        assert sender.sendfile(file) == 4
        assert read(theirs, 8) == b"headfile"
