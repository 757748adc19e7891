"""Encrypted columns: only their own row opens them, and nothing else keeps their text."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.core.exceptions import FieldError
from django.db import connection
from pydantic import SecretStr

from platform_core.conf.secrets import new_key
from platform_core.encryption import DecryptionError, decrypt, encrypt
from tests.core.models.testapp.models import Vault

pytestmark = pytest.mark.django_db

TEXT = "the code is 1234, été"


def stored(vault: Vault) -> bytes:
    with connection.cursor() as cursor:
        cursor.execute("SELECT code FROM models_testapp_vault WHERE id = %s", [vault.pk])
        return bytes(cursor.fetchone()[0])


def put(vault: Vault, value: bytes) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE models_testapp_vault SET code = %s WHERE id = %s", [value, vault.pk])


def test_a_text_comes_back_and_is_not_in_the_database() -> None:
    vault = Vault.objects.create(title="a", code=TEXT)
    bulk = Vault.objects.bulk_create([Vault(code=TEXT), Vault(code=None)])
    assert vault.code == TEXT
    assert Vault.objects.get(pk=vault.pk).code == TEXT
    assert [Vault.objects.get(pk=one.pk).code for one in bulk] == [TEXT, None]
    assert b"1234" not in stored(vault)
    assert stored(vault) != stored(bulk[0])
    assert "code" not in {field.name for field in Vault.history.model._meta.fields}  # type: ignore[attr-defined]


def test_what_is_not_touched_is_stored_as_it_was_and_a_deferred_one_is_fetched() -> None:
    vault = Vault.objects.create(code=TEXT)
    before = stored(vault)
    again = Vault.objects.get(pk=vault.pk)
    again.title = "changed"
    again.save()
    assert stored(vault) == before
    assert Vault.objects.defer("code").get(pk=vault.pk).code == TEXT
    again.code = "other"
    again.save()
    assert Vault.objects.get(pk=vault.pk).code == "other"


def test_a_value_opens_in_its_own_row_only() -> None:
    mine, other = (Vault.objects.create(code=text) for text in ("mine", "other"))
    put(mine, stored(other))
    with pytest.raises(DecryptionError, match="belongs to another place"):
        _ = Vault.objects.get(pk=mine.pk).code


@pytest.mark.parametrize("at", [0, 9, 25, -1])
def test_a_changed_byte_is_refused(at: int) -> None:
    vault = Vault.objects.create(code=TEXT)
    changed = bytearray(stored(vault))
    changed[at] ^= 1
    put(vault, bytes(changed))
    with pytest.raises(DecryptionError):
        _ = Vault.objects.get(pk=vault.pk).code


def test_keys_rotate_and_a_missing_one_is_named(settings: object) -> None:
    old, new = new_key(), new_key()
    with keys(settings, old):
        vault = Vault.objects.create(code=TEXT)
        first = stored(vault)
    with keys(settings, new, old):
        again = Vault.objects.get(pk=vault.pk)
        again.save()
    assert stored(vault) != first
    with keys(settings, new):
        assert Vault.objects.get(pk=vault.pk).code == TEXT
    with keys(settings, old), pytest.raises(DecryptionError, match="PLATFORM_ENCRYPTION_KEYS"):
        _ = Vault.objects.get(pk=vault.pk).code


@contextmanager
def keys(settings: object, *texts: str) -> Iterator[None]:
    settings.PLATFORM_ENCRYPTION_KEYS = tuple(SecretStr(text) for text in texts)  # type: ignore[attr-defined]
    yield


def test_neither_searched_nor_updated_in_sql_nor_shown() -> None:
    vault = Vault.objects.create(code=TEXT)
    with pytest.raises(FieldError):
        Vault.objects.filter(code=TEXT).exists()
    assert Vault.objects.filter(code__isnull=False).count() == 1
    assert "1234" not in repr(list(Vault.objects.values("code")))
    with pytest.raises(TypeError, match=r"call save\(\)"):
        Vault.objects.filter(pk=vault.pk).update(code="x")


def test_a_place_is_part_of_a_value() -> None:
    sealed = encrypt(TEXT, place="here")
    assert decrypt(sealed, place="here") == TEXT
    with pytest.raises(DecryptionError):
        decrypt(sealed, place="there")
    with pytest.raises(DecryptionError, match="no encrypted value"):
        decrypt(b"short", place="here")
