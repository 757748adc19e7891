"""Write events of the audit trail: one INSERT, in the transaction of what they tell of."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal

import psycopg
from django.db import DEFAULT_DB_ALIAS, DatabaseError, InterfaceError, OperationalError
from django.utils.translation import gettext_lazy as _

from platform_core.access.actors import current_actor, current_reason, current_request_id
from platform_core.audit.digests import canonical, payload_digest
from platform_core.errors import DomainError
from platform_core.prepared import execute_prepared

Outcome = Literal["done", "refused", "failed"]

SALT_BYTES = 16
REASON_LENGTH = 2000
_NAMED: tuple[str, ...] = ("system", "service")
"""Whose labels are names of commands and programs; the label of a person is not kept."""
_EVENT = (
    ("actor_id", "uuid"),
    ("actor_kind", "text"),
    ("actor_label", "text"),
    ("plugin", "text"),
    ("action", "text"),
    ("target_type", "text"),
    ("target_id", "text"),
    ("outcome", "text"),
    ("code", "text"),
    ("request_id", "text"),
    ("reason", "text"),
    ("details", "jsonb"),
    ("payload_digest", "bytea"),
)
_PAYLOAD = (("salt", "bytea"), ("content", "jsonb"))

Origin = Callable[[], Mapping[str, str]]
_origin: ContextVar[Origin | None] = ContextVar("platform_core_audit_origin", default=None)


class AuditUnavailable(DomainError):
    """The audit trail cannot be written, so that nothing may be changed."""

    code = "audit_unavailable"
    status = 503


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What is to be recorded; who acts, in which request, why and from where is added when it is written.

    ``plugin`` is the owner's slug. ``target_type`` is ``app_label.model``, or a word for what is no row. ``details``
    hold facts that stay for good: no names, addresses or free text about people. Those are ``personal``, and can be
    erased. ``code`` says why something was refused.
    """

    action: str
    plugin: str = ""
    target_type: str = ""
    target_id: str = ""
    outcome: Outcome = "done"
    code: str = ""
    reason: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)
    personal: Mapping[str, Any] = field(default_factory=dict)


@contextmanager
def coming_from(origin: Origin) -> Iterator[None]:
    """Let events of the block say where they came from, in their personal part; ``origin`` is asked for each."""
    token = _origin.set(origin)
    try:
        yield
    finally:
        _origin.reset(token)


def write_events(events: Sequence[Event], *, using: str = DEFAULT_DB_ALIAS) -> None:
    """Write ``events`` in the running transaction.

    Raises AuditUnavailable when the trail cannot take them, and OperationalError when the database is away; in both
    cases whatever the transaction has changed must not be committed.
    """
    if not events:
        return
    statement, parameters = insertion(events)
    try:
        execute_prepared(statement, parameters, using=using)
    except (OperationalError, InterfaceError):
        raise
    except DatabaseError as error:
        raise AuditUnavailable(
            _("This cannot be recorded now, so it was not done. Tell an operator.")
        ) from error


def write_beside(connection: psycopg.Connection[Any], event: Event) -> bool:
    """Write one event by a connection that is not Django's; False when the database has no audit trail yet.

    For commands that work on databases as a whole, before or without any application. The connection commits by itself.
    """
    found = connection.execute("SELECT to_regclass('platform_core_auditpayload') IS NOT NULL")
    if (found.fetchone() or (False,))[0] is not True:
        return False
    connection.execute(*insertion([event]))
    return True


def insertion(events: Sequence[Event]) -> tuple[str, list[Any]]:
    """Return the statement that writes ``events`` and their personal parts, and its parameters."""
    asked = _origin.get()
    origin = {} if asked is None else asked()
    parameters: list[Any] = []
    for event in events:
        parameters += _values(event, origin)
    return _statement(len(events)), parameters


def _values(event: Event, origin: Mapping[str, str]) -> list[Any]:
    actor = current_actor()
    content = {**origin, **event.personal}
    salt = secrets.token_bytes(SALT_BYTES) if content else None
    return [
        actor.id,
        actor.kind,
        _text(actor.label, 200) if actor.kind in _NAMED else "",
        event.plugin,
        _text(event.action, 100),
        event.target_type,
        _text(event.target_id, 200),
        event.outcome,
        _text(event.code, 100),
        _text(current_request_id() or "", 200),
        _text(event.reason or current_reason(), REASON_LENGTH),
        canonical(event.details).decode(),
        None if salt is None else payload_digest(salt, content),
        salt,
        None if salt is None else canonical(content).decode(),
    ]


def _text(text: str, length: int) -> str:
    """Return what PostgreSQL can hold of ``text``."""
    return text.replace("\0", "")[:length]


@lru_cache(maxsize=16)
def _statement(rows: int) -> str:
    """Return SQL for so many rows. Numbers are drawn first, so that an event and its personal part share one."""
    columns = (*_EVENT, *_PAYLOAD)
    typed = ", ".join(f"%s::{kind}" for _name, kind in columns)
    own = ", ".join(name for name, _kind in _EVENT)
    names = ", ".join(name for name, _kind in columns)
    return (
        "WITH given AS MATERIALIZED ("  # noqa: S608  # nosec B608  (names of our own)
        "SELECT nextval('platform_core_auditevent_id_seq') AS id, one.* "
        f"FROM (VALUES {', '.join([f'({typed})'] * rows)}) AS one ({names})), "
        f"event AS (INSERT INTO platform_core_auditevent (id, at, {own}) "
        f"SELECT id, clock_timestamp(), {own} FROM given) "
        "INSERT INTO platform_core_auditpayload (event_id, salt, content) "
        "SELECT id, salt, content FROM given WHERE content IS NOT NULL"
    )
