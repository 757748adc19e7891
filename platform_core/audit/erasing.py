"""Erase the personal part of events: the events stay, and each erasure is an event of its own."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from django.db import connection, transaction

from platform_core.audit.recording import Event, write_events

ERASE = "erase"
ERASED_TYPE = "platform_core.auditpayload"
_BATCH = 500
_TAKE = """
UPDATE platform_core_auditpayload SET salt = NULL, content = NULL
WHERE event_id = ANY(%s) AND content IS NOT NULL RETURNING event_id
"""
_OF_ACTOR = """
SELECT p.event_id FROM platform_core_auditpayload p JOIN platform_core_auditevent e ON e.id = p.event_id
WHERE e.actor_id = %s AND p.content IS NOT NULL ORDER BY 1
"""


def erase_payloads(event_ids: Sequence[int], *, reason: str) -> list[int]:
    """Erase the personal part of these events and record it, for each of them; return those that had one.

    Whoever acts is named by the events of the erasures, and so is why.
    """
    erased: list[int] = []
    with transaction.atomic():
        for start in range(0, len(event_ids), _BATCH):
            taken = take_payloads(event_ids[start : start + _BATCH])
            write_events(
                [
                    Event(
                        action=ERASE,
                        plugin="platform_core",
                        target_type=ERASED_TYPE,
                        target_id=str(one),
                        reason=reason,
                    )
                    for one in taken
                ]
            )
            erased += taken
    return erased


def take_payloads(event_ids: Sequence[int]) -> list[int]:
    """Erase the personal part of these events; the caller records it in the same transaction."""
    with connection.cursor() as cursor:
        cursor.execute(_TAKE, [list(event_ids)])
        return sorted(row[0] for row in cursor.fetchall())


def erase_payloads_of(actor_id: UUID, *, reason: str) -> list[int]:
    """Erase the personal parts of everything that one actor did; return the ids of the events."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(_OF_ACTOR, [actor_id])
            found = [row[0] for row in cursor.fetchall()]
        return erase_payloads(found, reason=reason)
