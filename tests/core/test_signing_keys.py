"""Private keys in PEM: what is none is refused, without a word of it in the error."""

from __future__ import annotations

import traceback

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key

from platform_core.signing_keys import new_private_key, private_key_of


def of_another_kind() -> str:
    return (
        generate_private_key(SECP256R1())
        .private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        .decode()
    )


def test_a_new_key_signs_and_is_another_each_time() -> None:
    first, second = new_private_key(), new_private_key()

    key = private_key_of(first)
    key.public_key().verify(key.sign(b"text"), b"text")
    assert first != second


@pytest.mark.parametrize(
    ("pem", "told"),
    [
        ("", "is not an unencrypted private key"),
        ("-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n", "is not an unenc"),
        (of_another_kind(), "is not an Ed25519 key"),
    ],
)
def test_what_is_no_such_key_is_refused(pem: str, told: str) -> None:
    with pytest.raises(ValueError, match=told) as refused:
        private_key_of(pem)
    assert "c2VjcmV0" not in "".join(traceback.format_exception(refused.value))
