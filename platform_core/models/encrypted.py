"""A text that is encrypted in the database, bound to its row and column."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import models
from django.db.models.query_utils import DeferredAttribute

from platform_core.encryption import DecryptionError, decrypt, encrypt, is_current

if TYPE_CHECKING:
    _Binary = models.BinaryField[str | None, str | None]
else:
    _Binary = models.BinaryField


class Ciphertext(bytes):
    """What the database holds; shown by its length only."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<ciphertext of {len(self)} bytes>"

    __str__ = __repr__


class _Opening(DeferredAttribute):
    """Decrypts when the attribute is first read: lists that do not show it do not pay for it."""

    field: EncryptedTextField

    def __get__(self, instance: models.Model | None, cls: Any = None) -> Any:
        value = super().__get__(instance, cls)
        if instance is not None and isinstance(value, Ciphertext):
            value = decrypt(value, place=self.field.place(instance))
            instance.__dict__[self.field.attname] = value
        return value

    def __set__(self, instance: models.Model, value: Any) -> None:
        instance.__dict__[self.field.attname] = value


class EncryptedTextField(_Binary):
    """A text, encrypted in its column with the deployment's key.

    The row's id is part of what is authenticated, so it has to be known before the row is saved, as ``BaseModel``'s is.
    Reading raises DecryptionError where the key is gone or the value was put there by hand. It is never part of history, is not
    found by its value, and is written by ``save()`` and ``bulk_create()`` alone. A row whose key is no longer the current
    one is encrypted anew when it is saved; what does not open stays as it is.
    """

    encrypted = True
    descriptor_class = _Opening

    def place(self, instance: models.Model) -> str:
        """Return where the value belongs: column and row; raises ValueError for a row without an id."""
        if instance.pk is None:
            raise ValueError(
                f"{self.model._meta.label} needs its id before {self.name} is encrypted."
            )
        return f"{self.model._meta.label_lower}.{self.name}:{instance.pk}"

    def pre_save(self, model_instance: models.Model, add: bool) -> Ciphertext | None:
        """Return what to store; what was not touched, and is of the current key or does not open, stays as it was."""
        held = model_instance.__dict__.get(self.attname)
        if isinstance(held, Ciphertext) and is_current(held) and not add:
            return held
        try:
            text = getattr(model_instance, self.attname)
        except DecryptionError:  # other fields of the row can be written all the same
            if add:
                raise
            kept: Ciphertext = model_instance.__dict__[self.attname]
            return kept
        if text is None:
            return None
        return Ciphertext(encrypt(text, place=self.place(model_instance)))

    def from_db_value(self, value: Any, *_: Any) -> Ciphertext | None:
        """Keep what is stored as it is; the attribute opens it."""
        return None if value is None else Ciphertext(value)

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        """Return the bytes of a ciphertext; raises TypeError for a text, which no row is known for."""
        if value is not None and not isinstance(value, Ciphertext):
            raise TypeError(f"{self.name} is encrypted: set it on the row and call save().")
        stored = None if value is None else bytes(value)
        return super().get_db_prep_value(stored, connection, prepared)

    def to_python(self, value: Any) -> Any:
        """Take a text as it is."""
        return value

    def get_lookup(self, lookup_name: str) -> Any:
        """Know only whether there is a value: equal texts are stored as different bytes."""
        return super().get_lookup(lookup_name) if lookup_name == "isnull" else None
