"""A child's write bumps the row that its aggregate path leads to."""

from __future__ import annotations

import pytest

from tests.core.models.testapp.models import Book, Chapter, Note

pytestmark = pytest.mark.django_db


@pytest.fixture
def book() -> Book:
    return Book.objects.create(title="Emma")


def version(book: Book) -> int:
    """Return the version in the database, which equals the number of recorded writes."""
    found = Book.all_objects.get(pk=book.pk).version
    assert Book.history.filter(id=book.pk).count() == found
    return found


def test_each_write_of_a_child_bumps_its_root(book: Book) -> None:
    chapter = Chapter.objects.create(book=book)
    assert version(book) == 2
    chapter.save()
    assert version(book) == 3
    Chapter.objects.update(number=2)
    assert version(book) == 4
    chapter.delete()
    assert version(book) == 5
    chapter.restore()
    assert version(book) == 6
    chapter.hard_delete()
    assert version(book) == 7


def test_many_children_written_at_once_bump_it_once(book: Book) -> None:
    chapters = Chapter.objects.bulk_create([Chapter(book=book), Chapter(book=book)])
    assert version(book) == 2
    Chapter.objects.bulk_update(chapters, ["number"])
    assert version(book) == 3
    Chapter.objects.all().delete()
    assert version(book) == 4


@pytest.mark.parametrize("bulk", [False, True])
def test_a_child_that_moves_bumps_both_roots(book: Book, bulk: bool) -> None:
    chapter, other = Chapter.objects.create(book=book), Book.objects.create(title="Persuasion")
    if bulk:
        Chapter.objects.update(book=other)
    else:
        chapter.book = other
        chapter.save()
    assert (version(book), version(other)) == (3, 2)


def test_a_longer_path_leads_to_the_root(book: Book) -> None:
    chapter = Chapter.objects.create(book=book)
    note = Note.objects.create(chapter=chapter)
    note.save()
    assert version(book) == 4
    chapter.refresh_from_db()
    assert chapter.version == 1


def test_the_root_itself_bumps_nothing_else(book: Book) -> None:
    chapter = Chapter.objects.create(book=book)
    book.save()
    chapter.refresh_from_db()
    assert chapter.version == 1


def test_a_hard_deleted_root_is_recorded_once_as_deleted(book: Book) -> None:
    Chapter.objects.create(book=book)
    key = book.pk
    book.hard_delete()
    kinds = (
        Book.history.filter(id=key).order_by("history_id").values_list("history_type", flat=True)
    )
    assert list(kinds) == ["+", "~", "-"]
