"""Signing keys: made once, kept to ourselves, replaced without losing anybody."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import SecretStr

from platform_identity import health
from platform_identity.errors import SigningKeyError
from platform_identity.services import keys
from platform_identity.settings import IdentitySettings


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, settings: object) -> None:
    settings.PLATFORM_DATA_DIR = tmp_path / "data"  # type: ignore[attr-defined]


def pem(key: Ed25519PrivateKey | None = None) -> str:
    return (
        (key or Ed25519PrivateKey.generate())
        .private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        .decode()
    )


def configure(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    configured = IdentitySettings(signing_keys=SecretStr(text))
    monkeypatch.setattr(keys, "settings_of", lambda cls: configured)


def test_the_first_use_makes_a_key_that_only_its_owner_can_read() -> None:
    ring = keys.key_ring()

    file = keys.key_file()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert list(ring.verifying) == [ring.kid]
    assert keys.key_ring() is ring


def test_concurrent_first_starts_agree_on_one_key() -> None:
    with ThreadPoolExecutor(12) as pool:
        rings = list(pool.map(lambda _: keys.key_ring().kid, range(12)))

    assert len(set(rings)) == 1
    assert [one.name for one in keys.key_file().parent.iterdir()] == [keys.key_file().name]


def test_a_rotation_elsewhere_is_seen_here() -> None:
    before = keys.key_ring()
    text = keys.key_file().read_text()
    draft = keys.key_file().with_suffix(".new")
    draft.write_text(pem() + text)
    draft.replace(keys.key_file())

    after = keys.key_ring()
    assert after.kid != before.kid
    assert set(after.verifying) == {after.kid, before.kid}


def test_a_rotation_keeps_two_keys() -> None:
    first = keys.key_ring().kid
    second = keys.rotate_signing_key().kid
    third = keys.rotate_signing_key()

    assert set(third.verifying) == {third.kid, second}
    assert first not in third.verifying
    assert stat.S_IMODE(keys.key_file().stat().st_mode) == 0o600


def test_concurrent_rotations_lose_no_key() -> None:
    keys.key_ring()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: keys.rotate_signing_key(), range(4)))
    assert len(keys.key_ring().verifying) == 2


def test_keys_from_the_settings_are_used_and_not_written_down(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    current, previous = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    configure(monkeypatch, pem(current) + pem(previous))

    ring = keys.key_ring()
    assert ring.kid == keys.key_id(current.public_key())
    assert set(ring.verifying) == {ring.kid, keys.key_id(previous.public_key())}
    assert not keys.key_file().exists()
    with pytest.raises(SigningKeyError, match="PLUGIN_IDENTITY_SIGNING_KEYS"):
        keys.rotate_signing_key()


def ec_pem() -> str:
    return (
        generate_private_key(SECP256R1())
        .private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        .decode()
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "0 were found"),
        (pem() + pem() + pem(), "3 were found"),
        ("topsecret", "PEM"),
        (pem().replace("PRIVATE", "SECRET"), "PEM"),
        (ec_pem(), "Ed25519"),
    ],
)
def test_unusable_keys_are_refused_without_being_shown(
    monkeypatch: pytest.MonkeyPatch, text: str, reason: str
) -> None:
    configure(monkeypatch, text)

    with pytest.raises(SigningKeyError, match=reason) as caught:
        keys.key_ring()
    assert not any(line and line in str(caught.value) for line in text.splitlines())
    assert health.signing_keys().healthy is False


def test_health_tells_the_number_of_keys_and_nothing_else() -> None:
    assert (health.signing_keys().healthy, health.signing_keys().detail) == (True, "1 keys")


def test_health_tells_that_the_file_cannot_be_read() -> None:
    keys.key_ring()
    keys.key_file().unlink()
    keys.key_file().mkdir()

    result = health.signing_keys()
    assert result.healthy is False
    assert "cannot be read" in result.detail


def test_a_ring_shows_no_key_when_printed() -> None:
    assert "Ed25519" not in repr(keys.key_ring())
