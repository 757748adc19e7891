"""Writers that meet: real threads, real transactions."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Thread
from typing import Any

import pytest
from django.db import connections, transaction

from platform_core.models import DeletionBlocked, keep_for_reference
from tests.core.resource.conftest import codes, make_library
from tests.core.resource.testapp.models import Book, Shelf

pytestmark = pytest.mark.django_db(transaction=True)

WRITERS = 6


def together(work: Callable[[int], Any]) -> list[Any]:
    """Run ``work`` in threads that start at one moment."""
    barrier = Barrier(WRITERS)

    def one(number: int) -> Any:
        try:
            barrier.wait(10)
            return work(number)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(WRITERS) as pool:
        return list(pool.map(one, range(WRITERS)))


def test_one_of_many_equal_creations_wins_and_the_others_are_told(librarian: Any) -> None:
    library = make_library()
    body = {"title": "T", "isbn": "same", "shelf": str(library.north_shelf.pk)}
    answers = together(lambda _number: librarian.call("POST", "books/", body))
    assert sorted(one.status_code for one in answers) == [201] + [409] * (WRITERS - 1)
    refused = [one for one in answers if one.status_code == 409]
    assert all(codes(one) == {"/isbn": "not_unique"} for one in refused)
    assert Book.objects.count() == 1


def test_an_operation_that_is_possible_once_happens_once(librarian: Any) -> None:
    book = make_library().book()
    path = f"books/{book.pk}/lend/"
    answers = together(lambda n: librarian.call("POST", path, {"reader": f"r{n}"}))
    assert sorted(one.status_code for one in answers) == [200] + [409] * (WRITERS - 1)


def test_a_row_cannot_be_changed_after_it_was_moved_away(client_of: Any, source: Any) -> None:
    library = make_library()
    book = library.book()
    mover = client_of("view_book", "change_book", "view_shelf")
    editor = client_of("view_book", "change_book", units=[library.north.pk])

    def work(number: int) -> Any:
        path = f"books/{book.pk}/"
        if number == 0:
            return mover.call("PATCH", path, {"shelf": str(library.south_shelf.pk)})
        return editor.call("PATCH", path, {"title": f"t{number}"})

    answers = together(work)
    assert answers[0].status_code == 200
    assert {one.status_code for one in answers[1:]} <= {200, 404}
    accepted = sum(one.status_code == 200 for one in answers)
    assert Book.objects.get().version == 1 + accepted


def test_a_row_is_not_deleted_under_what_comes_to_refer_to_it(librarian: Any) -> None:
    library = make_library()
    for round_ in range(4):
        shelf = Shelf.objects.create(branch=library.north, name=f"shelf {round_}")

        def work(number: int, shelf: Any = shelf) -> Any:
            if number == 0:
                return librarian.call("DELETE", f"shelves/{shelf.pk}/")
            body = {"title": "T", "isbn": f"{shelf.pk.hex[-10:]}{number}", "shelf": str(shelf.pk)}
            return librarian.call("POST", "books/", body)

        deletion, *creations = together(work)
        shelf.refresh_from_db()
        created = [one.status_code for one in creations].count(201)
        assert (deletion.status_code == 204) == (shelf.deleted_at is not None)
        assert created == 0 if deletion.status_code == 204 else deletion.status_code == 409
        assert {one.status_code for one in creations} <= {201, 422}
    assert not Book.objects.filter(shelf__deleted_at__isnull=False).exists()


def test_a_deletion_waits_for_a_reference_that_is_being_made() -> None:
    library = make_library()
    shelf = library.north_shelf
    outcome: list[Any] = []

    def delete() -> None:
        try:
            outcome.append(Shelf.objects.get(pk=shelf.pk).delete())
        except DeletionBlocked as error:
            outcome.append(error.code)
        finally:
            connections.close_all()

    deletion = Thread(target=delete)
    with transaction.atomic():
        assert keep_for_reference(shelf)
        library.book()
        deletion.start()
        deletion.join(0.3)
        assert outcome == []
    deletion.join(10)

    assert outcome == ["in_use"]
    Book.objects.all().delete()
    shelf.delete()
    assert not keep_for_reference(shelf)
