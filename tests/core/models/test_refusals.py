"""Deletions for good that rows of a dormant plugin, or of one whose wheel is gone, forbid."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from platform_core.models import DeletionBlocked, referrers_of
from tests.core.models.testapp.models import Publisher

pytestmark = pytest.mark.django_db

GHOST = (
    "CREATE TABLE ghosts_loan (id int, publisher_id uuid "
    "REFERENCES models_testapp_publisher DEFERRABLE INITIALLY DEFERRED)",
    "INSERT INTO django_migrations (app, name, applied) VALUES ('ghosts', '0001_initial', now())",
)


@pytest.fixture
def publisher() -> Publisher:
    """A publisher that two rows of a plugin refer to which only the database remembers."""
    with connection.cursor() as cursor:
        for statement in GHOST:
            cursor.execute(statement)
    made: Publisher = Publisher.objects.create(name="Penguin")
    lend(made, 2)
    return made


def lend(publisher: Publisher, count: int) -> None:
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO ghosts_loan VALUES (%s, %s)", [(n, publisher.pk) for n in range(count)]
        )


def test_rows_of_a_plugin_that_is_not_loaded_are_named(publisher: Publisher) -> None:
    with pytest.raises(DeletionBlocked) as raised:
        publisher.hard_delete()

    (found,) = raised.value.referrers
    assert (found.plugin, found.table, found.count) == ("ghosts", "ghosts_loan", 2)
    assert "platformctl plugin uninstall ghosts" in str(found.way_out)
    assert "platformctl plugin uninstall ghosts" in str(raised.value.message)
    assert Publisher.objects.filter(pk=publisher.pk).exists()
    assert Publisher.history.filter(id=publisher.pk).count() == 1


def test_the_transaction_around_goes_on(publisher: Publisher) -> None:
    with transaction.atomic():
        with pytest.raises(DeletionBlocked):
            publisher.hard_delete()
        Publisher.objects.create(name="Faber")

    assert Publisher.objects.count() == 2


def test_what_nobody_refers_to_is_deleted_beside_such_a_table(publisher: Publisher) -> None:
    other = Publisher.objects.create(name="Faber")

    other.hard_delete()

    assert not Publisher.all_objects.filter(pk=other.pk).exists()


def test_rows_of_a_dormant_plugin_without_cascade_are_named(
    publisher: Publisher, settings: Any
) -> None:
    settings.PLATFORM_DORMANT_LABELS = frozenset({"models_testapp"})
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM ghosts_loan")
        cursor.execute(
            "ALTER TABLE models_testapp_category ADD COLUMN publisher_id uuid "
            "REFERENCES models_testapp_publisher DEFERRABLE INITIALLY DEFERRED"
        )
        cursor.execute(
            "INSERT INTO models_testapp_category (id, created_at, updated_at, version, publisher_id) "
            "VALUES (%s, now(), now(), 1, %s)",
            [uuid.uuid4(), publisher.pk],
        )

    with pytest.raises(DeletionBlocked) as raised:
        publisher.hard_delete()

    (found,) = raised.value.referrers
    assert (found.plugin, found.model, found.count) == (
        "models_testapp",
        "models_testapp.Category",
        1,
    )
    assert "switched off" in str(found.way_out)


def test_an_insertion_that_leads_nowhere_is_no_blocked_deletion(publisher: Publisher) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    insertion = "INSERT INTO ghosts_loan VALUES (9, %s); SET CONSTRAINTS ALL IMMEDIATE"
    with (
        pytest.raises(IntegrityError) as raised,
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(insertion, [uuid.uuid4()])

    assert referrers_of(raised.value) == ()
