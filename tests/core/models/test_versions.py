"""Versions and history under concurrent writers, and what a write costs."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.db import connection
from django.db.models import F, Value
from django.db.models.functions import Lower
from django.utils import timezone

from platform_core.audit.actions import Action, running
from platform_core.models.identifiers import uuid7
from tests.core.models.testapp.models import Book, Chapter

THREADS = 12
ROUNDS = 5


def together(work: Callable[[int], Any], threads: int = THREADS) -> list[Any]:
    """Run ``work`` in that many threads at once, each with its own connection; return the results."""
    start = Barrier(threads)

    def run(number: int) -> Any:
        try:
            start.wait(30)
            return work(number)
        finally:
            connection.close()

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(run, range(threads)))


@pytest.mark.django_db(transaction=True)
def test_racing_writers_never_share_a_version() -> None:
    book = Book.objects.create(title="Emma")

    def write(number: int) -> list[int]:
        mine = Book.objects.get(pk=book.pk)
        seen = []
        for turn in range(ROUNDS):
            if (number + turn) % 3 == 0:
                Book.objects.filter(pk=book.pk).update(stock=F("stock") + 1)
                continue
            mine.stock = F("stock") + 1  # type: ignore[assignment]
            if (number + turn) % 3 == 1:
                mine.save()
            else:
                Book.objects.bulk_update([mine], ["stock"])
                mine.refresh_from_db(fields=["stock"])
            seen.append(mine.version)
        return seen

    seen = [version for versions in together(write) for version in versions]

    book.refresh_from_db()
    rows = Book.history.filter(id=book.pk).order_by("history_id")
    assert book.stock == THREADS * ROUNDS
    assert book.version == THREADS * ROUNDS + 1
    assert list(rows.values_list("version", flat=True)) == list(range(1, book.version + 1))
    assert list(rows.values_list("stock", flat=True)) == list(range(book.version))
    dates = list(rows.values_list("history_date", flat=True))
    assert dates == sorted(dates)
    assert len(set(seen)) >= THREADS


@pytest.mark.django_db(transaction=True)
def test_saves_of_stale_copies_each_learn_their_own_version() -> None:
    book = Book.objects.create(title="Emma")
    copies = [Book.objects.get(pk=book.pk) for _ in range(THREADS)]

    def save(number: int) -> int:
        copies[number].save()
        return copies[number].version

    assert sorted(together(save)) == list(range(2, THREADS + 2))


@pytest.mark.django_db(transaction=True)
def test_one_of_many_conditional_updates_wins() -> None:
    Book.objects.create(title="draft")
    outcomes = together(lambda number: Book.objects.filter(title="draft").update(title="issued"))
    assert sorted(outcomes) == [0] * (THREADS - 1) + [1]
    assert Book.history.count() == 2


@pytest.mark.django_db(transaction=True)
def test_writers_of_many_rows_do_not_wait_for_each_other_in_a_circle() -> None:
    books = Book.objects.bulk_create([Book(title=str(number)) for number in range(20)])

    def write(number: int) -> int:
        ordering = "pk" if number % 2 else "-pk"
        return Book.objects.order_by(ordering).update(stock=F("stock") + 1)

    assert together(write) == [len(books)] * THREADS
    assert set(Book.objects.values_list("version", "stock")) == {(THREADS + 1, THREADS)}
    assert Book.history.count() == len(books) * (THREADS + 1)


@pytest.mark.django_db(transaction=True)
def test_parts_written_at_once_each_count_in_their_aggregate() -> None:
    book = Book.objects.create(title="Emma")
    chapters = Chapter.objects.bulk_create([Chapter(book=book) for _ in range(THREADS)])
    together(lambda number: chapters[number].save())
    book.refresh_from_db()
    assert book.version == 2 + THREADS
    assert Book.history.count() == book.version


@pytest.mark.django_db
def test_a_new_row_costs_one_statement_and_a_change_two(django_assert_num_queries: Any) -> None:
    book = Book(title="Emma")
    with running(
        Action()
    ):  # else each write tells the audit trail by itself, in one statement more
        with django_assert_num_queries(1):
            book.save()
        assert book.history.get().history_type == "+"
        with django_assert_num_queries(2):
            book.save(update_fields=["title"])
        with django_assert_num_queries(3):
            Book.objects.update(stock=1)
    with django_assert_num_queries(3):
        book.save()


@pytest.mark.django_db
def test_a_new_row_of_expressions_is_recorded_as_the_database_has_it() -> None:
    book = Book(title=Lower(Value("EMMA")))
    book.save()
    assert (book.version, book.title) == (1, "emma")
    entry = book.history.get()
    assert (entry.history_type, entry.title, entry.version) == ("+", "emma", 1)


@pytest.mark.django_db
def test_an_instance_saved_as_a_new_row_again_is_recorded_again() -> None:
    book = Book.objects.create(title="Emma")
    book.save()
    book.pk, book._state.adding = uuid7(), True
    book.save()
    assert [one.version for one in Book.objects.order_by("pk")] == [2, 1]
    assert book.history.get().version == book.version == 1


@pytest.mark.django_db
def test_an_expression_is_read_back() -> None:
    book = Book.objects.create(title="Emma", stock=2)
    book.stock = F("stock") + 1  # type: ignore[assignment]
    book.save()
    assert book.stock == 3
    book.save()
    assert Book.objects.get().stock == 3


@pytest.mark.django_db
def test_a_version_set_by_hand_is_not_written() -> None:
    book = Book.objects.create(title="Emma", version=40)
    assert book.version == 1
    book.version = 99
    book.save()
    assert (book.version, Book.objects.get().version) == (2, 2)


@pytest.mark.django_db
def test_every_write_moves_the_time_of_change() -> None:
    book = Book.objects.create(title="Emma")
    created, first = book.created_at, book.updated_at
    book.save(update_fields=["title"])
    second = Book.objects.get().updated_at
    Book.objects.update(stock=1)
    third = Book.objects.get().updated_at
    assert first < second < third
    assert Book.objects.get().created_at == created


@pytest.mark.django_db
def test_writing_only_quiet_fields_is_no_new_version() -> None:
    book = Book.objects.create(title="seen")
    now = timezone.now()

    book.last_login = now
    book.save(update_fields=["last_login"])
    Book.objects.filter(pk=book.pk).update(last_login=now)

    stored = Book.objects.get(pk=book.pk)
    assert stored.last_login == now
    assert stored.version == 1
    assert book.history.count() == 1


@pytest.mark.django_db
def test_a_quiet_field_beside_another_one_is_a_new_version() -> None:
    book = Book.objects.create(title="seen")

    Book.objects.filter(pk=book.pk).update(last_login=timezone.now(), title="changed")

    assert Book.objects.get(pk=book.pk).version == 2
    assert book.history.count() == 2
