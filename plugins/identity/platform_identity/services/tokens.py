"""Access and refresh tokens: signed, short-lived JWTs and opaque, rotating secrets.

Decision. An access token is a JWT (RFC 9068) of ten minutes, signed with Ed25519. A refresh token is 256 random bits,
of which the database holds a SHA-256 digest. Each is used once: refreshing consumes it and returns the next one of
its family, which is the login session.

*Any* presentation of a consumed token ends the family, also one that comes microseconds after the winner of a race.
Of twelve parallel refreshes exactly one is answered with tokens, the eleven others with 401; and because the eleven
presented a consumed token, the session is over and the winner's tokens are dead too. A grace period would spare
clients that refresh twice at once, but a thief who is fast would pass as one of them: the server cannot tell a
double click from a stolen token. So a client refreshes one at a time, and signs in again after a lost answer
(RFC 9700, section 4.14.2).

Sessions and users are checked in the database at every request, so logout and suspension act on the next one.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID, uuid4

import jwt
from django.db import connection, transaction

from platform_core.conf import settings_of
from platform_core.observability import security_refusal
from platform_identity.errors import TokenRefused
from platform_identity.models import LoginSession
from platform_identity.services.keys import ALGORITHM, KeyRing, key_ring
from platform_identity.services.sessions import revoke_sessions
from platform_identity.settings import IdentitySettings

TOKEN_TYPE: Final = "at+jwt"  # noqa: S105  (a media type)
REFRESH_BYTES: Final = 32
CLOCK_LEEWAY_S: Final = 5
"""How far the clock of the host that issued a token may be ahead of this one's; no token lives longer by it."""
_MAX_TOKEN_LENGTH: Final = 4096
_CACHE_SIZE: Final = 4096


@dataclass(frozen=True, slots=True)
class AccessClaims:
    """What a verified access token says: whose it is, of which session, until when (Unix seconds)."""

    user_id: UUID
    session_id: UUID
    expires_at: int


@dataclass(frozen=True, slots=True)
class TokenPair:
    """An access token and the refresh token that will replace both."""

    access_token: str
    refresh_token: str
    expires_in: int

    def __repr__(self) -> str:
        return f"TokenPair(expires_in={self.expires_in})"


def issue_access_token(*, user_id: UUID, session_id: UUID) -> str:
    """Return a signed access token for a session of a user."""
    config = settings_of(IdentitySettings)
    ring = key_ring()
    now = int(time.time())
    claims = {
        "iss": config.issuer,
        "aud": config.audience,
        "sub": str(user_id),
        "sid": str(session_id),
        "jti": uuid4().hex,
        "iat": now,
        "exp": now + config.access_ttl,
        "typ": TOKEN_TYPE,
    }
    headers = {"kid": ring.kid, "typ": TOKEN_TYPE}
    return jwt.encode(claims, ring.signing, algorithm=ALGORITHM, headers=headers)


def verify_access_token(token: str) -> AccessClaims:
    """Return what ``token`` says when signature, type, issuer, audience and time are right; else TokenRefused.

    It does not ask the database: ``selectors.signed_in_user`` decides whether session and user still count.
    """
    if len(token) > _MAX_TOKEN_LENGTH or not token.isascii():
        raise TokenRefused("malformed")
    config = settings_of(IdentitySettings)
    ring = key_ring()
    known = _digest(token)
    known += f"{ring.kid}{len(ring.verifying)}{config.issuer}\0{config.audience}".encode()
    claims = _verified.get(known)
    if claims is None:
        claims = _verify(token, ring, config)
        if len(_verified) >= _CACHE_SIZE:
            _verified.clear()
        _verified[known] = claims
    if claims.expires_at <= time.time():
        _verified.pop(known, None)
        raise TokenRefused("expired")
    return claims


_verified: dict[bytes, AccessClaims] = {}
"""Signatures that were checked already, by digest of token, keys and settings; emptied when full."""


def _verify(token: str, ring: KeyRing, config: IdentitySettings) -> AccessClaims:
    try:
        header = jwt.get_unverified_header(token)
    except (
        jwt.PyJWTError,
        RecursionError,
    ) as error:  # a header may be nested as deep as it is long
        raise TokenRefused("malformed") from error
    if header.get("alg") != ALGORITHM:
        raise TokenRefused("algorithm")
    if header.get("typ") != TOKEN_TYPE:
        raise TokenRefused("type")
    public = ring.verifying.get(str(header.get("kid")))
    if public is None:
        raise TokenRefused("key")
    try:
        claims = jwt.decode(
            token,
            public,
            algorithms=[ALGORITHM],
            audience=config.audience,
            issuer=config.issuer,
            leeway=CLOCK_LEEWAY_S,  # for iat and nbf; verify_access_token judges exp without it
            options={
                "require": ["iss", "aud", "sub", "sid", "jti", "iat", "exp", "typ"],
                "strict_aud": True,
            },
        )
    except jwt.ExpiredSignatureError as error:
        raise TokenRefused("expired") from error
    except jwt.PyJWTError as error:
        raise TokenRefused("invalid") from error
    return _claims_of(claims)


def _claims_of(claims: dict[str, Any]) -> AccessClaims:
    if claims["typ"] != TOKEN_TYPE:
        raise TokenRefused("type")
    try:
        return AccessClaims(
            user_id=UUID(claims["sub"]),
            session_id=UUID(claims["sid"]),
            expires_at=int(claims["exp"]),
        )
    except (ValueError, AttributeError, TypeError) as error:
        raise TokenRefused("claims") from error


def issue_tokens(*, session: LoginSession) -> TokenPair:
    """Return the first access and refresh token of ``session``."""
    return _pair(session.user_id, session.pk)


def refresh(*, token: str) -> TokenPair:
    """Consume a refresh token and return the next pair of its family.

    Raises TokenRefused when the token is unknown or expired, when its session or user no longer counts, or when it
    was consumed before; the last ends the session.
    """
    digest = _digest(token)
    with transaction.atomic():
        pair, code, session_id = _rotate(digest)
    if pair is not None:
        return pair
    if code == "reused":
        security_refusal("identity.refresh_token_reused", session=session_id)
    raise TokenRefused(code)


def _rotate(digest: bytes) -> tuple[TokenPair | None, str, UUID | None]:
    """Do the work of ``refresh`` in a transaction that has to commit also when it refuses."""
    with connection.cursor() as cursor:
        cursor.execute(_CONSUME, [digest])
        row = cursor.fetchone()
        if row is not None:
            session_id = row[0]
            cursor.execute(_TOUCH, [session_id])
            live = cursor.fetchone()
            if live is None:
                return None, "session_over", session_id
            return _pair(live[0], session_id), "", session_id
        cursor.execute(_FIND, [digest])
        found = cursor.fetchone()
    if found is None:
        return None, "unknown", None
    session_id, consumed = found
    if not consumed:
        return None, "expired", session_id
    revoke_sessions(LoginSession.objects.filter(pk=session_id), reason="token_reused")
    return None, "reused", session_id


# The row lock makes the losers of a race wait; they then see consumed_at and match nothing.
_CONSUME = """
UPDATE identity_refreshtoken SET consumed_at = statement_timestamp()
WHERE digest = %s AND consumed_at IS NULL AND expires_at > statement_timestamp()
RETURNING session_id
"""
_TOUCH = """
UPDATE identity_loginsession AS s SET last_used_at = statement_timestamp()
FROM identity_user AS u
WHERE s.id = %s AND u.id = s.user_id
  AND s.revoked_at IS NULL AND s.deleted_at IS NULL AND s.expires_at > statement_timestamp()
  AND u.suspended_at IS NULL AND u.deleted_at IS NULL
RETURNING s.user_id
"""
_FIND = "SELECT session_id, consumed_at IS NOT NULL FROM identity_refreshtoken WHERE digest = %s"
_INSERT = """
INSERT INTO identity_refreshtoken (digest, session_id, created_at, expires_at, consumed_at)
SELECT %s, s.id, statement_timestamp(),
       LEAST(s.expires_at, statement_timestamp() + make_interval(secs => %s)), NULL
FROM identity_loginsession AS s WHERE s.id = %s
"""


def _pair(user_id: UUID, session_id: UUID) -> TokenPair:
    config = settings_of(IdentitySettings)
    secret = secrets.token_urlsafe(REFRESH_BYTES)
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, [_digest(secret), config.refresh_ttl, session_id])
    return TokenPair(
        access_token=issue_access_token(user_id=user_id, session_id=session_id),
        refresh_token=secret,
        expires_in=config.access_ttl,
    )


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
