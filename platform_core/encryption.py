"""Encryption of single values at rest: AES-256-GCM, with the id of the key in front and the value's place as associated data.

A stored value is one byte for the form, eight for the key, twelve for the nonce, then ciphertext and tag (NIST SP 800-38D).
What is moved to another place, row or column does not open there.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings

from platform_core.conf.secrets import key_bytes, new_key
from platform_core.durable import create_private_file

FILE = Path("keys") / "encryption.key"

_FORM = b"\x01"
_ID_BYTES = 8
_NONCE_BYTES = 12
_HEAD = len(_FORM) + _ID_BYTES + _NONCE_BYTES


class DecryptionError(Exception):
    """A stored value does not open: its key is gone, it was changed, or it belongs elsewhere; the text says which."""


@dataclass(frozen=True, slots=True)
class Keyring:
    """The keys of a deployment: the current one encrypts, all of them decrypt."""

    current: bytes
    """The id of the key that encrypts."""
    ciphers: Mapping[bytes, AESGCM] = field(repr=False)


def encrypt(text: str, *, place: str) -> bytes:
    """Return ``text`` encrypted for ``place``, such as ``app.model.field:id``; each call gives other bytes."""
    return encrypt_bytes(text.encode(), place=place)


def encrypt_bytes(content: bytes, *, place: str) -> bytes:
    """Return ``content`` encrypted for ``place``, as ``encrypt`` does with a text."""
    ring = keyring()
    nonce = secrets.token_bytes(_NONCE_BYTES)
    sealed = ring.ciphers[ring.current].encrypt(nonce, content, place.encode())
    return _FORM + ring.current + nonce + sealed


def decrypt(stored: bytes, *, place: str) -> str:
    """Return the text that was encrypted for ``place``; raises DecryptionError."""
    return decrypt_bytes(stored, place=place).decode()


def decrypt_bytes(stored: bytes, *, place: str) -> bytes:
    """Return the content that was encrypted for ``place``; raises DecryptionError."""
    if len(stored) <= _HEAD or stored[:1] != _FORM:
        raise DecryptionError("This is no encrypted value.")
    cipher = keyring().ciphers.get(_key_of(stored))
    if cipher is None:
        raise DecryptionError(
            f"The value was encrypted with key {_key_of(stored).hex()}, which this deployment does not have. "
            "Add that key to PLATFORM_ENCRYPTION_KEYS, or put the keys folder of the backup back."
        )
    try:
        return cipher.decrypt(stored[_HEAD - _NONCE_BYTES : _HEAD], stored[_HEAD:], place.encode())
    except InvalidTag:
        raise DecryptionError("The value was changed, or belongs to another place.") from None


def is_current(stored: bytes) -> bool:
    """Tell whether the key that encrypts today made ``stored``."""
    return _key_of(stored) == keyring().current


def keyring() -> Keyring:
    """Return the deployment's keys: those of the settings, else one that is made at first use and kept in the data folder.

    Raises ValueError when the kept file holds no key, and OSError.
    """
    configured = tuple(key.get_secret_value() for key in settings.PLATFORM_ENCRYPTION_KEYS)
    return _ring(configured) if configured else _kept(settings.PLATFORM_DATA_DIR / FILE)


@lru_cache(maxsize=4)
def _kept(file: Path) -> Keyring:
    if not file.exists():
        create_private_file(file, new_key())
    try:
        return _ring((file.read_text(encoding="ascii"),))
    except ValueError as error:
        raise ValueError(f"{file.name} in the keys folder holds no key: {error}.") from None


@lru_cache(maxsize=4)
def _ring(texts: Iterable[str]) -> Keyring:
    keys = [key_bytes(text) for text in texts]
    named = {hashlib.sha256(key).digest()[:_ID_BYTES]: AESGCM(key) for key in keys}
    return Keyring(next(iter(named)), named)


def _key_of(stored: bytes) -> bytes:
    return stored[len(_FORM) : len(_FORM) + _ID_BYTES]
