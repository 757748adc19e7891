"""The limit: the same answers as a bare WSGI function with psycopg and orjson, by hand, for these requests only.

It checks what the platform checks: signature, type, issuer, audience and time of the token, that session and user
still count, which roles count now and where, and for a create also input, scope, history, the audit event, and the
answer that a repeated call gets.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import parse_qs, quote
from uuid import UUID, uuid4

import jwt
import orjson
import psycopg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from psycopg.types.json import Jsonb

Environ = Mapping[str, Any]
StartResponse = Callable[[str, list[tuple[str, str]]], Any]

COLUMNS = (
    "id",
    "sourced_id",
    "school_id",
    "given_name",
    "middle_name",
    "family_name",
    "username",
    "identifier",
    "email",
    "phone",
    "is_enabled",
    "grades",
    "created_at",
    "updated_at",
    "version",
)
NAMES = tuple("school" if name == "school_id" else name for name in COLUMNS)
_SHOWN = ", ".join(f"s.{name}" for name in COLUMNS)
_COPIED = ", ".join((*COLUMNS, "deleted_at"))
_VISIBLE = """
s.deleted_at IS NULL AND s.school_id IN (
    SELECT c.id FROM education_school AS c JOIN identity_orgunit AS o ON o.id = c.unit_id WHERE o.path && %s
)
"""
SESSION = """
SELECT 1 FROM identity_loginsession AS s JOIN identity_user AS u ON u.id = s.user_id
WHERE s.id = %s AND s.user_id = %s
  AND s.revoked_at IS NULL AND s.deleted_at IS NULL AND s.expires_at > statement_timestamp()
  AND u.suspended_at IS NULL AND u.deleted_at IS NULL
"""
UNITS = """
SELECT a.unit_id FROM identity_roleassignment AS a
JOIN identity_role AS r ON r.id = a.role_id AND r.deleted_at IS NULL
WHERE a.user_id = %s AND a.scope = 'unit' AND a.deleted_at IS NULL
  AND (a.starts_at IS NULL OR a.starts_at <= statement_timestamp())
  AND (a.ends_at IS NULL OR a.ends_at > statement_timestamp())
  AND %s = ANY (r.effective_permissions)
"""
LIST = f"SELECT {_SHOWN} FROM education_student AS s WHERE {_VISIBLE} ORDER BY s.family_name, s.id LIMIT %s"
DETAIL = f"SELECT {_SHOWN} FROM education_student AS s WHERE {_VISIBLE} AND s.id = %s"
CREATE = f"""
WITH made AS (
    INSERT INTO education_student ({_COPIED})
    SELECT uuidv7(), %s, c.id, %s, %s, %s, %s, %s, %s, %s, %s, %s, statement_timestamp(), statement_timestamp(),
           1, NULL
    FROM education_school AS c JOIN identity_orgunit AS o ON o.id = c.unit_id
    WHERE c.id = %s AND c.deleted_at IS NULL AND o.path && %s
    RETURNING *
), kept AS (
    INSERT INTO education_historicalstudent ({_COPIED}, history_date, history_type, actor_id, actor_kind,
                                             history_change_reason, request_id)
    SELECT {_COPIED}, statement_timestamp(), '+', %s, 'user', '', %s FROM made
), told AS (
    INSERT INTO platform_core_auditevent (id, at, actor_id, actor_kind, actor_label, plugin, action, target_type,
        target_id, outcome, code, request_id, reason, details, payload_digest)
    SELECT nextval('platform_core_auditevent_id_seq'), clock_timestamp(), %s, 'user', '', 'education', 'create',
        'education.student', id::text, 'done', '', %s, '', '{{}}', %s FROM made
    RETURNING id
), personal AS (
    INSERT INTO platform_core_auditpayload (event_id, salt, content) SELECT id, %s, %s FROM told
)
SELECT {_SHOWN} FROM made AS s
"""
# Two statements in one message: the second sees what whoever held the lock before has committed.
CLAIM = """
SELECT pg_try_advisory_xact_lock(%s);
SELECT request_digest, status, headers, body FROM platform_core_idempotencyrecord
WHERE digest = %s AND created_at > statement_timestamp() - interval '24 hours'
"""
KEEP = """
INSERT INTO platform_core_idempotencyrecord (digest, request_digest, status, headers, body, created_at)
VALUES (%s, %s, 201, %s, %s, statement_timestamp())
ON CONFLICT (digest) DO UPDATE SET request_digest = EXCLUDED.request_digest, status = EXCLUDED.status,
    headers = EXCLUDED.headers, body = EXCLUDED.body, created_at = EXCLUDED.created_at
"""

_TEXTS = {
    "sourced_id": 255,
    "given_name": 150,
    "middle_name": 150,
    "family_name": 150,
    "username": 255,
    "identifier": 255,
    "email": 254,
    "phone": 50,
}
_PATH = "/api/v1/education/students/"


class Refused(Exception):
    """The request is answered by a status without a body."""


class Limit:
    """The WSGI application; it keeps one connection for good."""

    def __init__(
        self, url: str, keys: Mapping[str, Ed25519PublicKey], issuer: str, audience: str
    ) -> None:
        self.connection = psycopg.connect(url, autocommit=True, application_name="limit")
        self.cursor = self.connection.cursor()
        self.claiming = psycopg.ClientCursor(self.connection)
        # As the platform's own connections: the encoder then writes Z.
        self.cursor.execute("SET TIME ZONE 'UTC'")
        self.keys = keys
        self.issuer = issuer
        self.audience = audience

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        try:
            user_id = self._signed_in(environ)
            if environ["REQUEST_METHOD"] == "POST":
                status, body = "201 Created", self._create(environ, user_id)
            elif environ["PATH_INFO"] == _PATH:
                status, body = "200 OK", self._list(environ, user_id)
            else:
                status, body = "200 OK", self._detail(environ, user_id)
        except Refused as refusal:
            status, body = str(refusal), b""
        start_response(
            status, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
        )
        return [body]

    def _signed_in(self, environ: Environ) -> UUID:
        scheme, _space, token = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
        if scheme.lower() != "bearer":
            raise Refused("401 Unauthorized")
        try:
            header = jwt.get_unverified_header(token)
            if header.get("alg") != "EdDSA" or header.get("typ") != "at+jwt":
                raise Refused("401 Unauthorized")
            claims = jwt.decode(
                token,
                self.keys[header["kid"]],
                algorithms=["EdDSA"],
                audience=self.audience,
                issuer=self.issuer,
                options={
                    "require": ["iss", "aud", "sub", "sid", "jti", "iat", "exp", "typ"],
                    "strict_aud": True,
                },
            )
            if claims["typ"] != "at+jwt":
                raise Refused("401 Unauthorized")
            user_id, session_id = UUID(claims["sub"]), UUID(claims["sid"])
        except (jwt.PyJWTError, KeyError, ValueError) as error:
            raise Refused("401 Unauthorized") from error
        self.cursor.execute(SESSION, [session_id, user_id])
        if self.cursor.fetchone() is None:
            raise Refused("401 Unauthorized")
        return user_id

    def _units(self, user_id: UUID, permission: str) -> list[UUID]:
        self.cursor.execute(UNITS, [user_id, permission])
        units = [row[0] for row in self.cursor.fetchall()]
        if not units:
            raise Refused("403 Forbidden")
        return units

    def _list(self, environ: Environ, user_id: UUID) -> bytes:
        query = environ.get("QUERY_STRING", "")
        try:
            limit = int(parse_qs(query)["limit"][0])
        except (KeyError, ValueError) as error:
            raise Refused("422 Unprocessable Content") from error
        units = self._units(user_id, "education.view_student")
        self.cursor.execute(LIST, [units, limit + 1])
        found = self.cursor.fetchall()
        following = None
        if len(found) > limit:
            last = found[limit - 1]
            payload = orjson.dumps(["family_name", last[5], last[0]])
            cursor = base64.urlsafe_b64encode(payload).rstrip(b"=").decode()
            host = environ["HTTP_HOST"]
            following = f"http://{host}{_PATH}?cursor={quote(cursor)}&limit={limit}"
        rows = [dict(zip(NAMES, row, strict=True)) for row in found[:limit]]
        return orjson.dumps({"data": rows, "next": following, "prev": None}, option=_OPTIONS)

    def _detail(self, environ: Environ, user_id: UUID) -> bytes:
        try:
            student_id = UUID(environ["PATH_INFO"].removeprefix(_PATH).rstrip("/"))
        except ValueError as error:
            raise Refused("404 Not Found") from error
        units = self._units(user_id, "education.view_student")
        self.cursor.execute(DETAIL, [units, student_id])
        return self._one()

    def _create(self, environ: Environ, user_id: UUID) -> bytes:
        raw = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        try:
            body = orjson.loads(raw)
            school_id = UUID(body["school"])
        except (ValueError, KeyError, TypeError) as error:
            raise Refused("422 Unprocessable Content") from error
        body.setdefault("sourced_id", str(uuid4()))
        texts = [body.get(name, "") for name in _TEXTS]
        grades = body.get("grades", [])
        if (
            body.keys() - _ACCEPTED
            or any(
                not isinstance(text, str) or len(text) > longest
                for text, longest in zip(texts, _TEXTS.values(), strict=True)
            )
            or not all(isinstance(one, str) for one in grades)
        ):
            raise Refused("422 Unprocessable Content")
        units = self._units(user_id, "education.add_student")
        values = [*texts, body.get("is_enabled", True), grades, school_id, units]
        request_id, salt = uuid4().hex, secrets.token_bytes(16)
        origin = orjson.dumps({"ip": environ["REMOTE_ADDR"]})
        hidden = hashlib.sha256(salt + origin).digest()
        kept = [user_id, request_id, user_id, request_id, hidden, salt, origin.decode()]
        key = environ["HTTP_IDEMPOTENCY_KEY"]
        digest = hashlib.sha256(f"{user_id} POST {_PATH} {key}".encode()).digest()
        with self.connection.transaction():
            self._claim(digest)
            self.cursor.execute(CREATE, [*values, *kept])
            made = self._one()
            headers = Jsonb({"Content-Type": "application/json"})
            self.cursor.execute(KEEP, [digest, hashlib.sha256(raw).digest(), headers, made])
        return made

    def _claim(self, digest: bytes) -> None:
        """Take the key; the benchmark repeats none, so an earlier answer is only looked for."""
        self.claiming.execute(CLAIM, [int.from_bytes(digest[:8], "big", signed=True), digest])
        taken = self.claiming.fetchone()
        self.claiming.nextset()
        if taken is None or not taken[0] or self.claiming.fetchone() is not None:
            raise Refused("409 Conflict")

    def _one(self) -> bytes:
        row = self.cursor.fetchone()
        if row is None:
            raise Refused("404 Not Found")
        return orjson.dumps(dict(zip(NAMES, row, strict=True)), option=_OPTIONS)


_ACCEPTED = frozenset({*_TEXTS, "school", "grades", "is_enabled"})
_OPTIONS = orjson.OPT_UTC_Z
