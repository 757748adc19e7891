"""Access tokens: what is signed into them, and every way in which one is refused."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from typing import Any
from uuid import uuid4

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from platform_identity.errors import TokenRefused
from platform_identity.services import tokens
from platform_identity.services.keys import key_ring, rotate_signing_key
from platform_identity.services.tokens import issue_access_token, verify_access_token

USER, SESSION = uuid4(), uuid4()


def claims(**changes: Any) -> dict[str, Any]:
    now = int(time.time())
    usual = {
        "iss": "urn:platform:identity",
        "aud": "urn:platform:api",
        "sub": str(USER),
        "sid": str(SESSION),
        "jti": uuid4().hex,
        "iat": now,
        "exp": now + 600,
        "typ": "at+jwt",
    }
    return {name: value for name, value in (usual | changes).items() if value is not None}


def signed(
    payload: dict[str, Any] | None = None,
    *,
    key: Any = None,
    algorithm: str = "EdDSA",
    **headers: Any,
) -> str:
    ring = key_ring()
    return jwt.encode(
        claims() if payload is None else payload,
        ring.signing if key is None else key,
        algorithm=algorithm,
        headers={"kid": ring.kid, "typ": "at+jwt"} | headers,
    )


def refusal(token: str) -> str:
    with pytest.raises(TokenRefused) as caught:
        verify_access_token(token)
    return caught.value.code


def public_pem() -> bytes:
    ring = key_ring()
    return ring.verifying[ring.kid].public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def forged(header: dict[str, Any], payload: dict[str, Any], signature: bytes = b"") -> str:
    parts = [json.dumps(header).encode(), json.dumps(payload).encode(), signature]
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


def test_an_issued_token_is_accepted_and_names_user_and_session() -> None:
    found = verify_access_token(issue_access_token(user_id=USER, session_id=SESSION))

    assert (found.user_id, found.session_id) == (USER, SESSION)
    assert 0 < found.expires_at - time.time() <= 600


def test_an_issued_token_says_what_it_is() -> None:
    token = issue_access_token(user_id=USER, session_id=SESSION)

    header = jwt.get_unverified_header(token)
    payload = jwt.decode(token, options={"verify_signature": False})
    assert header == {"alg": "EdDSA", "kid": key_ring().kid, "typ": "at+jwt"}
    assert set(payload) == {"iss", "aud", "sub", "sid", "jti", "iat", "exp", "typ"}
    assert payload["typ"] == "at+jwt"


def test_two_tokens_of_one_session_differ() -> None:
    assert issue_access_token(user_id=USER, session_id=SESSION) != issue_access_token(
        user_id=USER, session_id=SESSION
    )


def test_an_unsigned_token_is_refused() -> None:
    assert refusal(forged({"alg": "none", "typ": "at+jwt", "kid": key_ring().kid}, claims())) == (
        "algorithm"
    )


def test_a_token_signed_with_the_public_key_as_secret_is_refused() -> None:
    header = {"alg": "HS256", "typ": "at+jwt", "kid": key_ring().kid}
    unsigned = forged(header, claims()).rpartition(".")[0]

    signature = hmac.new(public_pem(), unsigned.encode(), hashlib.sha256).digest()
    assert refusal(forged(header, claims(), signature)) == "algorithm"


def test_a_token_of_another_algorithm_is_refused() -> None:
    other = generate_private_key(SECP256R1())
    assert refusal(signed(key=other, algorithm="ES256")) == "algorithm"


def test_a_stranger_s_key_under_our_key_id_is_refused() -> None:
    assert refusal(signed(key=Ed25519PrivateKey.generate())) == "invalid"


@pytest.mark.parametrize("kid", ["", "unknown", "../../etc/passwd", "' OR 1=1 --"])
def test_an_unknown_key_id_is_refused(kid: str) -> None:
    assert refusal(signed(kid=kid)) == "key"


def test_a_key_inside_the_header_is_not_used() -> None:
    stranger = Ed25519PrivateKey.generate()
    jwk = json.loads(jwt.algorithms.OKPAlgorithm.to_jwk(stranger.public_key()))
    assert refusal(signed(key=stranger, jwk=jwk)) == "invalid"
    assert refusal(signed(key=stranger, jwk=jwk, kid="stranger")) == "key"


@pytest.mark.parametrize("typ", ["JWT", "rt+jwt", "", None])
def test_a_token_of_another_type_is_refused(typ: str | None) -> None:
    assert refusal(signed(typ=typ)) == "type"


def test_the_type_has_to_be_among_the_claims_too() -> None:
    assert refusal(signed(claims(typ="rt+jwt"))) == "type"


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "urn:another"},
        {"aud": "urn:another"},
        {"aud": ["urn:platform:api", "urn:another"]},
        {"iat": int(time.time()) + 3600},
        {"nbf": int(time.time()) + 3600},
        *({name: None} for name in ("iss", "aud", "sub", "sid", "jti", "iat", "exp", "typ")),
    ],
)
def test_a_wrong_or_missing_claim_is_refused(changes: dict[str, Any]) -> None:
    assert refusal(signed(claims(**changes))) == "invalid"


@pytest.mark.parametrize("changes", [{"sub": "someone"}, {"sid": "some-session"}])
def test_ids_that_are_none_are_refused(changes: dict[str, Any]) -> None:
    assert refusal(signed(claims(**changes))) == "claims"


@pytest.mark.parametrize("seconds", [0, tokens.CLOCK_LEEWAY_S - 1, 3600])
def test_an_expired_token_is_refused_at_once(seconds: int) -> None:
    assert refusal(signed(claims(exp=int(time.time()) - seconds))) == "expired"


@pytest.mark.parametrize("name", ["iat", "nbf"])
def test_the_clock_of_another_host_may_be_a_few_seconds_ahead(name: str) -> None:
    ahead = int(time.time()) + tokens.CLOCK_LEEWAY_S
    assert verify_access_token(signed(claims(**{name: ahead - 1}))).user_id == USER
    assert refusal(signed(claims(**{name: ahead + 5}))) == "invalid"


def test_a_token_that_was_accepted_expires_all_the_same() -> None:
    token = signed(claims(exp=int(time.time()) + 1))
    verify_access_token(token)
    time.sleep(1.1)
    assert refusal(token) == "expired"


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "é.é.é", "\ud800", "....", "x" * 5000])
def test_what_is_no_token_is_refused(token: str) -> None:
    assert refusal(token) == "malformed"


def test_a_changed_character_is_refused_also_after_the_token_was_accepted() -> None:
    token = issue_access_token(user_id=USER, session_id=SESSION)
    verify_access_token(token)
    head, payload, signature = token.split(".")
    other = payload[:-2] + ("A" if payload[-2] != "A" else "B") + payload[-1]
    assert refusal(f"{head}.{other}.{signature}") in {"invalid", "malformed"}


def test_a_refresh_token_is_no_access_token() -> None:
    assert refusal("Z" * 43) == "malformed"


def test_the_previous_key_verifies_and_the_one_before_does_not() -> None:
    oldest = issue_access_token(user_id=USER, session_id=SESSION)
    rotate_signing_key()
    assert verify_access_token(oldest).user_id == USER
    newer = issue_access_token(user_id=USER, session_id=SESSION)
    assert jwt.get_unverified_header(newer)["kid"] != jwt.get_unverified_header(oldest)["kid"]

    rotate_signing_key()
    assert verify_access_token(newer).user_id == USER
    assert refusal(oldest) == "key"


def test_remembered_signatures_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "_CACHE_SIZE", 3)
    for _ in range(10):
        verify_access_token(issue_access_token(user_id=USER, session_id=SESSION))
    assert len(tokens._verified) <= 3
