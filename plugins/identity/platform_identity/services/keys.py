"""The two live signing keys: the current one signs, the previous one still verifies."""

from __future__ import annotations

import base64
import fcntl
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, lru_cache
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from django.conf import settings

from platform_core.conf import settings_of
from platform_core.durable import create_private_file, replace_private_file
from platform_core.observability import security_event
from platform_core.signing_keys import new_private_key, private_key_of
from platform_identity.errors import SigningKeyError
from platform_identity.settings import IdentitySettings

ALGORITHM = "EdDSA"
MAX_KEYS = 2
_PEM_END = "-----END PRIVATE KEY-----"


@dataclass(frozen=True, slots=True)
class KeyRing:
    """The keys of a moment; ``verifying`` maps a key id to its public key and holds the current one too."""

    kid: str
    signing: Ed25519PrivateKey = field(repr=False)
    verifying: Mapping[str, Ed25519PublicKey] = field(repr=False)


def key_file() -> Path:
    """Return where generated keys are kept: one or two PEM blocks, the signing one first."""
    return _file_below(settings.PLATFORM_DATA_DIR)


@cache
def _file_below(data_dir: Path | str) -> Path:
    return Path(data_dir) / "keys" / "identity-signing.pem"


def key_ring() -> KeyRing:
    """Return the live keys: from the settings, else from the kept file, which is made at first use.

    A file that another process has replaced is seen at the next call. Raises SigningKeyError when the keys cannot
    be used.
    """
    configured = settings_of(IdentitySettings).signing_keys
    if configured is not None:
        return _ring_of(configured.get_secret_value())
    file = key_file()
    try:
        status = file.stat()
    except FileNotFoundError:
        create_private_file(file, new_private_key())
        status = file.stat()
    return _ring_of_file(file, status.st_mtime_ns, status.st_ino)


def rotate_signing_key() -> KeyRing:
    """Make a new signing key; the one that signed until now keeps verifying, an older one is dropped.

    Raises SigningKeyError when the keys come from the settings, where only the operator can change them.
    """
    if settings_of(IdentitySettings).signing_keys is not None:
        raise SigningKeyError(
            "The keys come from PLUGIN_IDENTITY_SIGNING_KEYS: put the new private key before the present one there."
        )
    key_ring()
    file = key_file()
    with (file.parent / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        blocks = _blocks(file.read_text(encoding="ascii"))
        replace_private_file(file, (new_private_key() + blocks[0]).encode())
    ring = key_ring()
    security_event("identity.signing_key_rotated", kid=ring.kid)
    return ring


def key_id(public: Ed25519PublicKey) -> str:
    """Return the JWK thumbprint (RFC 7638) of ``public``, shortened to 22 characters."""
    raw = public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    jwk = f'{{"crv":"Ed25519","kty":"OKP","x":"{_base64url(raw)}"}}'
    return _base64url(hashlib.sha256(jwk.encode()).digest())[:22]


@lru_cache(maxsize=4)
def _ring_of_file(file: Path, mtime_ns: int, inode: int) -> KeyRing:
    """Read ``file``; time and inode make a replaced file another entry of the cache."""
    return _ring_of(file.read_text(encoding="ascii"))


@lru_cache(maxsize=4)
def _ring_of(text: str) -> KeyRing:
    blocks = _blocks(text)
    if not 1 <= len(blocks) <= MAX_KEYS:
        raise SigningKeyError(f"One or two private keys are needed, {len(blocks)} were found.")
    keys = [_private_key(block) for block in blocks]
    return KeyRing(
        kid=key_id(keys[0].public_key()),
        signing=keys[0],
        verifying={key_id(key.public_key()): key.public_key() for key in keys},
    )


def _blocks(text: str) -> list[str]:
    return [part.strip() + f"\n{_PEM_END}\n" for part in text.split(_PEM_END) if part.strip()]


def _private_key(pem: str) -> Ed25519PrivateKey:
    try:
        return private_key_of(pem)
    except ValueError as error:
        raise SigningKeyError(f"A signing key {error}.") from error


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")
