"""Calls that are safe to repeat: the same ``Idempotency-Key`` does its work once and answers the same for a day."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson
from django.db import connection
from django.http import HttpResponse
from django.utils.translation import gettext_lazy as _
from psycopg.types.json import Jsonb
from rest_framework.exceptions import APIException

from platform_core.encryption import DecryptionError, decrypt_bytes, encrypt_bytes
from platform_core.errors import Conflict, Invalid
from platform_core.prepared import execute_prepared

if TYPE_CHECKING:
    from django.http import HttpRequest

    from platform_core.access import Actor

HEADER = "Idempotency-Key"
_VARIABLE = "HTTP_IDEMPOTENCY_KEY"
REPLAYED = "Idempotency-Replayed"
LIFETIME_H = 24
_METHODS = frozenset({"POST", "PATCH"})
_KEY = re.compile(r"[\x21-\x7e]{1,255}\Z")
_KEPT_HEADERS = ("Location", "ETag", "Content-Type", "Retry-After", "Preference-Applied")
_TABLE = "platform_core_idempotencyrecord"
# Two statements in one message: the second begins when the lock is held, and so sees what its last holder committed.
_CLAIM = f"""
SELECT pg_try_advisory_xact_lock(%s);
SELECT request_digest, status, headers::text, body FROM {_TABLE}
WHERE digest = %s AND created_at > statement_timestamp() - interval '{LIFETIME_H} hours'
"""  # noqa: S608  # nosec B608  (names of our own)
_KEEP = f"""
WITH gone AS (
    DELETE FROM {_TABLE} WHERE digest IN (
        SELECT digest FROM {_TABLE}
        WHERE created_at <= statement_timestamp() - interval '{LIFETIME_H} hours' AND digest <> %(digest)s
        ORDER BY created_at LIMIT 3 FOR UPDATE SKIP LOCKED
    )
)
INSERT INTO {_TABLE} (digest, request_digest, status, headers, body, created_at)
VALUES (%(digest)s, %(request_digest)s, %(status)s, %(headers)s, %(body)s, statement_timestamp())
ON CONFLICT (digest) DO UPDATE SET request_digest = EXCLUDED.request_digest, status = EXCLUDED.status,
    headers = EXCLUDED.headers, body = EXCLUDED.body, created_at = EXCLUDED.created_at
"""  # noqa: S608  # nosec B608  (names of our own)


class StillRunning(APIException):
    """Another call with the same key has not ended yet."""

    status_code = 409
    default_code = "idempotency_in_progress"
    default_detail = _("A call with this Idempotency-Key is running; repeat it in a moment.")
    wait = 1


@dataclass(frozen=True, slots=True)
class Claim:
    """A key that this transaction holds: nobody else runs a call with it until the transaction ends."""

    digest: bytes
    request_digest: bytes
    earlier: tuple[Any, ...] | None
    """What is kept of a call with the same key that has ended."""

    @property
    def place(self) -> str:
        """Where the kept answer belongs: it opens in no other row."""
        return f"idempotency:{self.digest.hex()}"

    def earlier_answer(self) -> HttpResponse | None:
        """Return what was answered the first time; raises Invalid when the key was used for another body.

        Raises Conflict when what was kept does not open any more: the work is done, and must not be done again.
        """
        if self.earlier is None:
            return None
        request_digest, status, headers, body = self.earlier
        if bytes(request_digest) != self.request_digest:
            raise Invalid(
                _("This Idempotency-Key was used for another body; take a new one."),
                code="idempotency_key_reused",
            )
        try:
            content = decrypt_bytes(bytes(body), place=self.place)
        except DecryptionError as error:
            raise Conflict(
                _(
                    "This call was carried out, but its answer is lost. Look it up, do not repeat it."
                ),
                code="idempotency_answer_lost",
            ) from error
        return HttpResponse(
            content, status=status, headers={**orjson.loads(headers), REPLAYED: "true"}
        )

    def keep(self, response: HttpResponse) -> None:
        """Store the answer, to be committed with what the call did; a few that are too old go.

        Its body is encrypted: it may show what only its caller may read, and lies around for a day.
        """
        headers = {name: response[name] for name in _KEPT_HEADERS if name in response}
        kept: dict[str, Any] = {
            "digest": self.digest,
            "request_digest": self.request_digest,
            "status": response.status_code,
            "headers": Jsonb(headers),
            "body": encrypt_bytes(response.content, place=self.place),
        }
        execute_prepared(_KEEP, kept)


def key_of(request: HttpRequest) -> str | None:
    """Return the request's key, or ``None`` when it has none; raises Invalid for one that cannot be a key."""
    key: str | None = request.META.get(_VARIABLE)
    if key is None or request.method not in _METHODS:
        return None
    if not _KEY.match(key):
        raise Invalid(
            _("An Idempotency-Key has 1 to 255 visible ASCII characters."),
            code="invalid_idempotency_key",
        )
    return key


def claim(request: HttpRequest, actor: Actor, body: bytes | None = None) -> Claim | None:
    """Return the claim on the request's key, or ``None`` when it has none; call it inside the call's transaction.

    ``body`` is what was sent, where that is not simply the request's body. Raises Invalid for a key that is none or
    that nobody in particular sends, and ``StillRunning`` when another transaction holds it.
    """
    key = key_of(request)
    if key is None:
        return None
    if actor.id is None:
        raise Invalid(
            _("An Idempotency-Key needs a signed-in caller."), code="invalid_idempotency_key"
        )
    who = f"{actor.kind} {actor.id} {request.method} {request.get_full_path()} {key}"
    digest = hashlib.sha256(who.encode()).digest()
    with connection.cursor() as cursor:
        lock = int.from_bytes(digest[:8], "big", signed=True)
        cursor.execute(_CLAIM, [lock, digest])
        (is_held,) = cursor.fetchone()
        cursor.nextset()
        earlier = cursor.fetchone()
    if not is_held:
        raise StillRunning
    sent = request.body if body is None else body
    return Claim(digest, hashlib.sha256(sent).digest(), earlier)
