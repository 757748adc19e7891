"""Deletion hides, names its referrers, and can be taken back."""

from __future__ import annotations

import pytest
from django.db.models import ProtectedError

from platform_core.errors import Conflict
from platform_core.models import DeletionBlocked
from tests.core.models.testapp.models import (
    Book,
    Category,
    Chapter,
    Contract,
    Publisher,
    Seat,
    Tag,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def publisher() -> Publisher:
    return Publisher.objects.create(name="Penguin")


def test_a_deleted_row_is_hidden_not_gone(publisher: Publisher) -> None:
    assert publisher.delete() == (1, {"models_testapp.Publisher": 1})
    assert publisher.deleted_at is not None
    assert publisher.version == 2
    assert not Publisher.objects.exists()
    assert Publisher.all_objects.deleted().get() == publisher
    assert not Publisher.all_objects.alive().exists()


def test_deleting_twice_does_nothing_more(publisher: Publisher) -> None:
    publisher.delete()
    first = publisher.deleted_at
    assert publisher.delete() == (0, {})
    assert (publisher.deleted_at, publisher.version) == (first, 2)
    assert Publisher.history.count() == 2


def test_referrers_are_named_and_nothing_changes(publisher: Publisher) -> None:
    book = Book.objects.create(title="Emma", publisher=publisher)
    contracts = Contract.objects.bulk_create([Contract(publisher=publisher) for _ in range(7)])
    seat = Seat.objects.create(publisher=publisher)

    with pytest.raises(DeletionBlocked) as raised:
        publisher.delete()

    named = {found.model: found for found in raised.value.referrers}
    assert set(named) == {"models_testapp.Contract", "models_testapp.Seat"}
    assert named["models_testapp.Contract"].count == 7
    assert named["models_testapp.Contract"].label == "contracts"
    assert named["models_testapp.Contract"].examples == tuple(
        sorted(contract.pk for contract in contracts)[:5]
    )
    assert named["models_testapp.Seat"].examples == (seat.pk,)
    assert raised.value.code == "in_use"
    assert raised.value.status == 409
    assert "7 × contracts" in str(raised.value.message)
    assert Publisher.objects.exists()
    book.refresh_from_db()
    assert (book.publisher_id, book.version) == (publisher.pk, 1)


def test_deleted_referrers_do_not_count_and_keep_their_reference(publisher: Publisher) -> None:
    book = Book.objects.create(title="Emma", publisher=publisher)
    contract = Contract.objects.create(publisher=publisher)
    book.delete()
    contract.delete()

    publisher.delete()

    book.refresh_from_db()
    contract.refresh_from_db()
    assert (book.publisher_id, contract.publisher_id) == (publisher.pk, publisher.pk)


def test_a_dormant_plugins_rows_neither_block_nor_change(
    publisher: Publisher, settings: pytest.FixtureRequest
) -> None:
    settings.PLATFORM_DORMANT_LABELS = frozenset({"models_testapp"})  # type: ignore[attr-defined]
    book = Book.objects.create(title="Emma", publisher=publisher)
    Contract.objects.create(publisher=publisher)

    publisher.delete()

    book.refresh_from_db()
    assert (book.publisher_id, book.version) == (publisher.pk, 1)
    assert Contract.objects.get().publisher == publisher


def test_rows_deleted_together_do_not_block_each_other() -> None:
    root = Category.objects.create()
    leaf = Category.objects.create(parent=root)
    with pytest.raises(DeletionBlocked):
        root.delete()
    assert Category.objects.filter(pk__in=[root.pk, leaf.pk]).delete()[0] == 2


def test_own_links_do_not_block_but_links_of_others_do() -> None:
    tag, book = Tag.objects.create(word="novel"), Book.objects.create(title="Emma")
    book.tags.add(tag)

    with pytest.raises(DeletionBlocked) as raised:
        tag.delete()
    assert [found.model for found in raised.value.referrers] == ["models_testapp.Book"]
    assert raised.value.referrers[0].examples == (book.pk,)

    book.delete()
    assert book.tags.get() == tag


def test_a_queryset_with_one_blocked_row_deletes_none(publisher: Publisher) -> None:
    other = Publisher.objects.create(name="Faber")
    Contract.objects.create(publisher=publisher)
    with pytest.raises(DeletionBlocked):
        Publisher.objects.all().delete()
    assert set(Publisher.objects.all()) == {publisher, other}


def test_a_part_of_an_aggregate_blocks_its_root() -> None:
    chapter = Chapter.objects.create(book=Book.objects.create(title="Emma"))
    with pytest.raises(DeletionBlocked):
        chapter.book.delete()
    chapter.delete()
    chapter.book.delete()


def test_restoring_shows_it_again_and_says_so(publisher: Publisher) -> None:
    publisher.delete()
    publisher.restore()
    assert Publisher.objects.get() == publisher
    assert (publisher.deleted_at, publisher.version) == (None, 3)
    newest = Publisher.history.first()
    assert (newest.history_type, newest.history_change_reason) == ("~", "restored")


def test_restoring_a_live_row_does_nothing(publisher: Publisher) -> None:
    publisher.restore()
    assert publisher.version == 1


def test_a_name_is_free_once_deleted_and_restoring_into_a_taken_one_conflicts(
    publisher: Publisher,
) -> None:
    publisher.delete()
    Publisher.objects.create(name="penguin")
    with pytest.raises(Conflict) as raised:
        publisher.restore()
    assert raised.value.code == "restore_conflict"
    assert Publisher.all_objects.deleted().get() == publisher
    assert Publisher.history.filter(id=publisher.pk).count() == 2


def test_a_stale_copy_does_not_bring_a_deleted_row_back(publisher: Publisher) -> None:
    stale = Publisher.objects.get(pk=publisher.pk)
    publisher.delete()
    stale.name = "Puffin"
    stale.save()
    assert Publisher.all_objects.deleted().get().name == "Puffin"


def test_hard_deletion_removes_the_row_and_keeps_its_history(publisher: Publisher) -> None:
    key = publisher.pk
    publisher.delete()
    publisher.hard_delete()
    assert not Publisher.all_objects.exists()
    kinds = Publisher.history.filter(id=key).order_by("history_id")
    assert list(kinds.values_list("history_type", flat=True)) == ["+", "-", "-"]


def test_a_protected_row_is_not_hard_deleted(publisher: Publisher) -> None:
    Seat.objects.create(publisher=publisher)
    with pytest.raises(ProtectedError):
        publisher.hard_delete()
    assert Publisher.history.count() == 1


def test_nothing_is_restored_without_what_it_needs(publisher: Publisher) -> None:
    contract = Contract.objects.create(publisher=publisher)
    contract.delete()
    publisher.delete()

    with pytest.raises(Conflict) as raised:
        contract.restore()

    assert raised.value.code == "restore_conflict"
    assert "publisher" in str(raised.value.message)
    assert not Contract.objects.exists()
    publisher.restore()
    contract.restore()
    assert Contract.objects.get() == contract


def test_restoring_clears_what_deletion_would_have_cleared(publisher: Publisher) -> None:
    book = Book.objects.create(title="Emma", publisher=publisher)
    book.delete()
    publisher.delete()

    book.restore()

    assert (book.publisher, book.deleted_at) == (None, None)
    book.refresh_from_db()
    assert (book.publisher_id, book.version) == (None, 3)
    assert book.history.first().publisher_id is None
