"""Every way to write a row bumps its version and leaves exactly one history row, with who and why."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import NotSupportedError, connections, transaction
from django.db.models import F, QuerySet, sql

from platform_core.access import Actor
from tests.core.models.conftest import REQUEST_ID
from tests.core.models.testapp.models import Book, Chapter, Contract, Imprint, Publisher

pytestmark = pytest.mark.django_db(transaction=True)

Write = Callable[[Book, Publisher], Any]


def run(work: Coroutine[Any, Any, Any]) -> None:
    """Run ``work`` in an event loop of its own and close the connection that it opened there."""

    async def and_close() -> None:
        await work
        await sync_to_async(connections.close_all)()

    asyncio.run(and_close())


def save(book: Book, publisher: Publisher) -> None:
    book.stock = 5
    book.save()


def save_one_field(book: Book, publisher: Publisher) -> None:
    book.stock = 5
    book.save(update_fields=["stock"])


def save_expression(book: Book, publisher: Publisher) -> None:
    book.stock = F("stock") + 5  # type: ignore[assignment]
    book.save()


def save_deferred(book: Book, publisher: Publisher) -> None:
    partial = Book.objects.only("stock").get(pk=book.pk)
    partial.stock = 5
    partial.save()


def update_or_create(book: Book, publisher: Publisher) -> None:
    Book.objects.update_or_create(pk=book.pk, defaults={"stock": 5})


def bulk_update(book: Book, publisher: Publisher) -> None:
    book.stock = 5
    Book.objects.bulk_update([book], ["stock"])


def bulk_update_twice_the_same(book: Book, publisher: Publisher) -> None:
    book.stock = 5
    Book.objects.bulk_update([book, book], ["stock"])


def update_over_a_join(book: Book, publisher: Publisher) -> None:
    Book.objects.filter(publisher__name="Penguin").update(stock=5)


def update_distinct(book: Book, publisher: Publisher) -> None:
    Book.objects.filter(publisher__books__pk=book.pk).distinct().update(stock=5)


def update_annotated(book: Book, publisher: Publisher) -> None:
    Book.objects.annotate(more=F("stock") + 5).filter(more__gt=1).order_by("-more").update(
        stock=F("more")
    )


CHANGES: dict[str, Write] = {
    "save": save,
    "save(update_fields)": save_one_field,
    "save with F()": save_expression,
    "save of deferred fields": save_deferred,
    "update_or_create": update_or_create,
    "get_or_create().save": lambda book, publisher: save(
        Book.objects.get_or_create(pk=book.pk)[0], publisher
    ),
    "update": lambda book, publisher: Book.objects.update(stock=5),
    "update with F()": lambda book, publisher: Book.objects.update(stock=F("stock") + 5),
    "update over a join": update_over_a_join,
    "update of distinct rows": update_distinct,
    "update by annotation": update_annotated,
    "update by the base manager": lambda book, publisher: Book._base_manager.update(stock=5),
    "update by the related manager": lambda book, publisher: publisher.books.update(stock=5),
    "bulk_update": bulk_update,
    "bulk_update of one row twice": bulk_update_twice_the_same,
    "asave": lambda book, publisher: run(_with_stock(book).asave()),
    "aupdate": lambda book, publisher: run(Book.objects.aupdate(stock=5)),
    "abulk_update": lambda book, publisher: run(
        Book.objects.abulk_update([_with_stock(book)], ["stock"])
    ),
    "aupdate_or_create": lambda book, publisher: run(
        Book.objects.aupdate_or_create(pk=book.pk, defaults={"stock": 5})
    ),
}

DETACHMENTS: dict[str, Write] = {
    "SET_NULL by soft deletion": lambda book, publisher: publisher.delete(),
    "SET_NULL by soft deletion of a queryset": lambda book, publisher: (
        Publisher.objects.all().delete()
    ),
    "SET_NULL by hard deletion": lambda book, publisher: publisher.hard_delete(),
    "clear of the related manager": lambda book, publisher: publisher.books.clear(),
    "remove of the related manager": lambda book, publisher: publisher.books.remove(book),
}

REMOVALS: dict[str, Write] = {
    "delete": lambda book, publisher: book.delete(),
    "QuerySet.delete": lambda book, publisher: Book.objects.all().delete(),
    "adelete": lambda book, publisher: run(book.adelete()),
    "QuerySet.adelete": lambda book, publisher: run(Book.objects.all().adelete()),
    "hard_delete": lambda book, publisher: book.hard_delete(),
    "_raw_delete": lambda book, publisher: Book.objects.all()._raw_delete("default"),
}

CREATIONS: dict[str, Callable[[], Any]] = {
    "save": lambda: Book(title="new").save(),
    "create": lambda: Book.objects.create(title="new"),
    "get_or_create": lambda: Book.objects.get_or_create(title="new"),
    "update_or_create": lambda: Book.objects.update_or_create(title="new"),
    "bulk_create": lambda: Book.objects.bulk_create([Book(title="new")]),
    "related create": lambda: Publisher.objects.create(name="p").books.create(title="new"),
    "acreate": lambda: run(Book.objects.acreate(title="new")),
    "abulk_create": lambda: run(Book.objects.abulk_create([Book(title="new")])),
}


@pytest.fixture
def publisher() -> Publisher:
    return Publisher.objects.create(name="Penguin")


@pytest.fixture
def book(publisher: Publisher) -> Book:
    return Book.objects.create(title="Emma", publisher=publisher)


@pytest.mark.parametrize("write", CHANGES.values(), ids=list(CHANGES))
def test_a_change_is_recorded_once(
    book: Book, publisher: Publisher, clerk: Actor, write: Write
) -> None:
    write(book, publisher)

    row = Book.all_objects.get(pk=book.pk)
    assert (row.stock, row.version) == (5, 2)
    assert recorded(book.pk, since=1) == [("~", 2, 5, publisher.pk)]
    assert signed(book.pk) == [("user", clerk.id, REQUEST_ID, "stocktaking")]


@pytest.mark.parametrize("write", DETACHMENTS.values(), ids=list(DETACHMENTS))
def test_a_cleared_reference_is_recorded_once(
    book: Book, publisher: Publisher, clerk: Actor, write: Write
) -> None:
    write(book, publisher)

    assert Book.objects.get(pk=book.pk).version == 2
    assert recorded(book.pk, since=1) == [("~", 2, 0, None)]
    assert signed(book.pk) == [("user", clerk.id, REQUEST_ID, "stocktaking")]


@pytest.mark.parametrize("write", REMOVALS.values(), ids=list(REMOVALS))
def test_a_deletion_is_recorded_once(
    book: Book, publisher: Publisher, clerk: Actor, write: Write
) -> None:
    key = book.pk
    write(book, publisher)

    assert not Book.objects.filter(pk=key).exists()
    assert [kind for kind, *_ in recorded(key)] == ["+", "-"]
    assert signed(key) == [("user", clerk.id, REQUEST_ID, "stocktaking")]


@pytest.mark.parametrize("create", CREATIONS.values(), ids=list(CREATIONS))
def test_a_creation_is_recorded_once(clerk: Actor, create: Callable[[], Any]) -> None:
    create()

    row = Book.objects.get(title="new")
    assert recorded(row.pk) == [("+", 1, 0, row.publisher_id)]
    assert signed(row.pk) == [("user", clerk.id, REQUEST_ID, "stocktaking")]


def test_a_cascade_of_a_hard_deletion_is_recorded_once_for_each_row(book: Book) -> None:
    chapters = Chapter.objects.bulk_create([Chapter(book=book), Chapter(book=book)])
    history = Book.history.count()

    book.hard_delete()

    kinds = Chapter.history.filter(history_type="-").values_list("id", flat=True)
    assert sorted(kinds) == sorted(chapter.pk for chapter in chapters)
    assert Book.history.count() == history + 1


def test_bulk_writes_record_each_row_once(clerk: Actor) -> None:
    books = Book.objects.bulk_create([Book(title=str(number)) for number in range(7)], batch_size=3)
    Book.objects.bulk_update(_numbered(books), ["stock"], batch_size=2)
    Book.objects.filter(stock__gte=3).update(stock=F("stock") * 10)

    for number, book in enumerate(books):
        book.refresh_from_db()
        kinds = [(kind, version, stock) for kind, version, stock, _ in recorded(book.pk)]
        expected = [("+", 1, 0), ("~", 2, number)]
        assert kinds == (expected if number < 3 else [*expected, ("~", 3, number * 10)])
        assert book.version == len(kinds)


def test_bulk_update_tells_the_instances_their_version(book: Book) -> None:
    Book.objects.update(stock=1)
    Book.objects.bulk_update([book], ["stock"])
    assert book.version == 3


@pytest.mark.parametrize(
    "options",
    [
        {"ignore_conflicts": True},
        {"update_conflicts": True, "update_fields": ["stock"], "unique_fields": ["id"]},
    ],
)
def test_bulk_create_refuses_what_history_could_not_follow(options: dict[str, Any]) -> None:
    with pytest.raises(NotSupportedError, match="history"):
        Book.objects.bulk_create([Book(title="a")], **options)
    assert not Book.all_objects.exists()


def test_a_proxy_is_recorded_like_its_model() -> None:
    imprint = Imprint.objects.create(name="Puffin")
    imprint.save()
    key = imprint.pk
    imprint.hard_delete()
    kinds = Publisher.history.filter(id=key).values_list("history_type", flat=True)
    assert list(kinds) == ["-", "~", "+"]


def test_a_slice_is_refused(book: Book) -> None:
    with pytest.raises(TypeError, match="slice"):
        Book.objects.all()[:1].update(stock=1)
    with pytest.raises(TypeError, match="limit"):
        Book.objects.all()[:1].delete()


@pytest.mark.parametrize("column", ["version", "deleted_at"])
def test_columns_of_the_core_are_refused(book: Book, column: str) -> None:
    with pytest.raises(TypeError, match=column):
        Book.objects.update(**{column: None})


def test_no_field_of_that_name_is_refused_even_without_rows() -> None:
    with pytest.raises(Exception, match="nonsense"):
        Book.objects.update(nonsense=1)


def test_nothing_to_write_leaves_no_trace(book: Book) -> None:
    assert Book.objects.filter(title="none such").update(stock=1) == 0
    assert Book.objects.none().update(stock=1) == 0
    assert Book.objects.bulk_create([]) == []
    assert len(recorded(book.pk)) == 1


def test_a_failed_write_leaves_no_history(book: Book) -> None:
    with transaction.atomic():
        Book.objects.update(stock=9)
        transaction.set_rollback(True)
    assert Book.objects.get().stock == 0
    assert len(recorded(book.pk)) == 1


def test_stock_querysets_would_lose_what_ours_records(book: Book) -> None:
    """The planted fault: what Django and simple-history do by themselves records nothing."""
    query = sql.UpdateQuery(Book)
    query.update_batch([book.pk], {"stock": 3}, "default")
    QuerySet.update(Book.all_objects.all(), stock=F("stock") + 1)
    assert Book.objects.get(pk=book.pk).stock == 4
    assert len(recorded(book.pk)) == 1


def test_contracts_fall_with_a_hard_deleted_publisher(publisher: Publisher) -> None:
    contract = Contract.objects.create(publisher=publisher)
    publisher.hard_delete()
    assert [row.history_type for row in Contract.history.filter(id=contract.pk)] == ["-", "+"]


def recorded(key: Any, since: int = 0) -> list[tuple[str, int, int, Any]]:
    """Return type, version, stock and publisher of a book's history, oldest first, without the first ``since``."""
    rows = Book.history.filter(id=key).order_by("history_id")
    return list(rows.values_list("history_type", "version", "stock", "publisher_id"))[since:]


def signed(key: Any) -> list[tuple[Any, ...]]:
    """Return who acted, in which request and why, of the newest row of a book's history."""
    rows = Book.history.filter(id=key).order_by("-history_id")[:1]
    return list(rows.values_list("actor_kind", "actor_id", "request_id", "history_change_reason"))


def _numbered(books: list[Book]) -> list[Book]:
    for number, book in enumerate(books):
        book.stock = number
    return books


def _with_stock(book: Book) -> Book:
    book.stock = 5
    return book
