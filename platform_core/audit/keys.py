"""The key that signs checkpoints: from the settings, else one that is made and kept in the data folder."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from platform_core.conf.deployment import Deployment
from platform_core.durable import create_private_file
from platform_core.signing_keys import new_private_key, private_key_of

FILE = Path("keys") / "audit-signing.pem"


class KeyUnusable(Exception):
    """A key is none; the text says which and what to do."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """The private key of a deployment's checkpoints."""

    private: Ed25519PrivateKey = field(repr=False)

    @property
    def id(self) -> str:
        """Return what names the key in each checkpoint."""
        return key_id(self.private.public_key())

    @property
    def public_pem(self) -> str:
        """Return the public key, to be kept where checkpoints are judged."""
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        return self.private.public_key().public_bytes(serialization.Encoding.PEM, form).decode()

    def sign(self, text: bytes) -> str:
        """Return the Ed25519 signature of ``text`` in base64."""
        return base64.b64encode(self.private.sign(text)).decode()


def signing_key(deployment: Deployment) -> SigningKey:
    """Return the deployment's key, which is made at first use; raises KeyUnusable, OSError."""
    configured = deployment.core.audit_signing_key
    if configured is not None:
        return _of_pem(configured.get_secret_value(), "PLATFORM_AUDIT_SIGNING_KEY")
    file = deployment.data_dir / FILE
    if not file.exists():
        create_private_file(file, new_private_key())
    return _of_pem(file.read_text(encoding="ascii"), str(FILE))


def public_key(pem: bytes) -> Ed25519PublicKey:
    """Return the public key in ``pem``; raises KeyUnusable."""
    try:
        found = serialization.load_pem_public_key(pem)
    except ValueError as error:
        raise KeyUnusable("This is no public key in PEM.") from error
    if not isinstance(found, Ed25519PublicKey):
        raise KeyUnusable("The public key is not one of Ed25519.")
    return found


def key_id(public: Ed25519PublicKey) -> str:
    """Return the first 16 hexadecimal digits of the SHA-256 of the public key."""
    raw = public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return hashlib.sha256(raw).hexdigest()[:16]


def is_signed(text: bytes, signature: str, public: Ed25519PublicKey) -> bool:
    """Tell whether ``signature`` is that of ``text``."""
    try:
        public.verify(base64.b64decode(signature, validate=True), text)
    except (InvalidSignature, ValueError):
        return False
    return True


@lru_cache(maxsize=4)
def _of_pem(text: str, place: str) -> SigningKey:
    try:
        return SigningKey(private_key_of(text))
    except ValueError as error:
        raise KeyUnusable(f"The key in {place} {error}.") from error
