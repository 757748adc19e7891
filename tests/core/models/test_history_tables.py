"""What history tables hold, and what they must not."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.core import serializers
from django.db import connection, models
from django.utils import timezone

from platform_core.models import BaseModel
from tests.core.models.testapp.models import Book, Publisher, Tag


def test_every_concrete_model_has_history_and_history_has_none() -> None:
    kept = [model for model in apps.get_models() if issubclass(model, BaseModel)]
    assert kept
    for model in kept:
        table = model.history.model
        assert table._meta.app_label == model._meta.app_label
        assert table._meta.model_name == f"historical{model._meta.concrete_model._meta.model_name}"
        assert not hasattr(table, "history")


def test_no_secret_is_kept() -> None:
    names = {field.name for field in Book.history.model._meta.fields}
    assert {"title", "stock", "publisher", "version", "deleted_at"} <= names
    assert not names & {"password", "last_login", "sealed", "draft", "doubled"}


def test_history_knows_the_actor_without_a_foreign_key() -> None:
    fields = {field.name: field for field in Book.history.model._meta.fields}
    assert isinstance(fields["history_id"], models.BigAutoField)
    assert isinstance(fields["history_change_reason"], models.TextField)
    assert isinstance(fields["actor_id"], models.UUIDField)
    assert {"actor_kind", "request_id"} <= fields.keys()
    assert [name for name, field in fields.items() if field.is_relation] == ["publisher"]
    assert not [name for name in fields if "user" in name]


@pytest.mark.django_db
def test_history_tables_have_no_foreign_key_constraint() -> None:
    with connection.cursor() as cursor:
        found = connection.introspection.get_constraints(cursor, Book.history.model._meta.db_table)
    assert not [name for name, one in found.items() if one["foreign_key"]]


def test_version_and_deletion_stand_in_migrations_as_plain_columns() -> None:
    for name in ("version", "deleted_at"):
        assert Book._meta.get_field(name).deconstruct()[1].startswith("django.db.models.")
        assert Book.history.model._meta.get_field(name).pre_save.__module__.startswith("django.")


@pytest.mark.django_db
def test_a_write_without_a_person_is_the_systems() -> None:
    entry = Book.objects.create(title="Emma").history.get()
    assert (entry.actor_kind, entry.actor_id, entry.request_id) == ("system", None, "")
    assert entry.history_change_reason == ""


@pytest.mark.django_db
def test_the_past_can_be_read_and_compared() -> None:
    publisher = Publisher.objects.create(name="Penguin")
    book = Book.objects.create(title="Emma", password="secret", publisher=publisher)
    between = timezone.now()
    book.title = "Emma, revised"
    book.save()
    book.delete()

    deleted, changed, created = book.history.all()
    assert (created.title, changed.title) == ("Emma", "Emma, revised")
    changes = {change.field for change in changed.diff_against(created).changes}
    assert "title" in changes
    assert Book.history.as_of(between).get().title == "Emma"
    assert not Book.history.as_of(timezone.now()).exists()
    assert changed.instance.publisher == publisher
    assert deleted.history_type == "-"


@pytest.mark.django_db
def test_a_fixture_brings_its_own_version_and_no_history() -> None:
    tag = Tag(word="novel", version=7)
    tag.created_at = tag.updated_at = timezone.now()
    loaded = next(serializers.deserialize("json", serializers.serialize("json", [tag])))
    loaded.save()
    assert Tag.objects.get().version == 7
    assert not Tag.history.exists()
