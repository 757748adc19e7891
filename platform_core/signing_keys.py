"""Ed25519 private keys in PEM, as the settings take them and key files keep them."""

from __future__ import annotations

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


def new_private_key() -> str:
    """Return a new private key as a PEM block (PKCS #8, without a password)."""
    return (
        Ed25519PrivateKey.generate()
        .private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        .decode("ascii")
    )


def private_key_of(pem: str) -> Ed25519PrivateKey:
    """Return the key in ``pem``; raises ValueError, which says what is wrong and repeats nothing of it."""
    try:
        found = serialization.load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError):
        # The parser's message may quote the input, so it is not chained.
        raise ValueError("is not an unencrypted private key in PEM form") from None
    if not isinstance(found, Ed25519PrivateKey):
        raise ValueError("is not an Ed25519 key")
    return found
