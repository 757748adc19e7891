"""UUIDv7: real, versioned, ordered."""

from __future__ import annotations

import os
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from platform_core.models import identifiers, uuid7
from tests.core.models.testapp.models import Tag


def test_it_is_a_real_uuid_of_version_7() -> None:
    before = time.time_ns() // 1_000_000
    made = uuid7()
    assert type(made) is uuid.UUID
    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert before <= made.int >> 80 <= before + 5_000


def test_each_is_greater_than_the_last() -> None:
    made = [uuid7() for _ in range(20_000)]
    assert made == sorted(made)
    assert len(set(made)) == len(made)


def test_threads_never_make_the_same() -> None:
    with ThreadPoolExecutor(12) as pool:
        batches = list(pool.map(lambda _: [uuid7() for _ in range(2_000)], range(12)))
    made = [one for batch in batches for one in batch]
    assert len(set(made)) == len(made)
    assert all(batch == sorted(batch) for batch in batches)


def test_a_clock_that_steps_back_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    first = uuid7()
    monkeypatch.setattr(identifiers.time, "time_ns", lambda: 1)
    assert uuid7() > first


def test_a_full_counter_borrows_from_the_next_millisecond(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = identifiers._Clock()
    monkeypatch.setattr(identifiers.time, "time_ns", lambda: 5_000_000)
    clock.tick()
    clock._counter = (1 << 42) - 1
    milliseconds, counter = clock.tick()
    assert milliseconds == 6
    assert counter < 1 << 41


def test_a_forked_process_counts_from_elsewhere() -> None:
    uuid7()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, uuid7().bytes)
        os._exit(0)
    os.waitpid(child, 0)
    theirs = uuid.UUID(bytes=os.read(reading, 16))
    os.close(reading)
    os.close(writing)
    assert theirs != uuid7()
    assert theirs.version == 7


@pytest.mark.django_db
def test_a_row_gets_one_before_it_is_saved() -> None:
    tag = Tag(word="novel")
    assert tag.pk.version == 7
    tag.save()
    assert type(Tag.objects.get().pk) is uuid.UUID
