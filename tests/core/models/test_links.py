"""Changing many-to-many links is a write of the row that declares them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from platform_core.access import Actor
from tests.core.models.testapp.models import Book, Tag

pytestmark = pytest.mark.django_db

CHANGES: dict[str, Callable[[Book, Tag, Tag], Any]] = {
    "add": lambda book, linked, other: book.tags.add(other),
    "remove": lambda book, linked, other: book.tags.remove(linked),
    "clear": lambda book, linked, other: book.tags.clear(),
    "create": lambda book, linked, other: book.tags.create(word="new"),
    "add from the other end": lambda book, linked, other: other.books.add(book),
    "remove from the other end": lambda book, linked, other: linked.books.remove(book),
    "clear from the other end": lambda book, linked, other: linked.books.clear(),
}


@pytest.fixture
def linked() -> Tag:
    return Tag.objects.create(word="novel")


@pytest.fixture
def book(linked: Tag) -> Book:
    book = Book.objects.create(title="Emma")
    book.tags.add(linked)
    return book


@pytest.mark.parametrize("change", CHANGES.values(), ids=list(CHANGES))
def test_a_changed_link_bumps_and_records_its_owner_once(
    book: Book, linked: Tag, clerk: Actor, change: Callable[[Book, Tag, Tag], Any]
) -> None:
    assert book.version == 2
    other = Tag.objects.create(word="comedy")

    change(book, linked, other)

    assert Book.objects.get().version == 3
    newest = book.history.first()
    assert (book.history.count(), newest.version, newest.actor_id) == (3, 3, clerk.id)
    assert (linked.history.count(), other.history.count()) == (1, 1)


def test_a_link_that_is_there_already_changes_nothing(book: Book, linked: Tag) -> None:
    book.tags.add(linked)
    assert (book.version, book.history.count()) == (2, 2)
