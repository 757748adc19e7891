"""Put what may be told elsewhere on its way, in the transaction of the event."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from psycopg.types.json import Jsonb

from platform_core.prepared import execute_prepared
from platform_core.webhooks.catalogue import patterns_of

if TYPE_CHECKING:
    from platform_core.events import Event

# The row of the event is written by then, in the same transaction: it knows when it occurred.
_OFFER = """
WITH wanted AS MATERIALIZED (
    SELECT id FROM platform_core_webhookendpoint WHERE enabled AND event_types ?| %(patterns)s::text[]
), message AS (
    INSERT INTO platform_core_webhookmessage (id, event_type, plugin, data, occurred_at, created_at)
    SELECT id, name, plugin, %(data)s, occurred_at, clock_timestamp() FROM platform_core_event
    WHERE id = %(id)s AND EXISTS (SELECT FROM wanted)
    RETURNING id, event_type, plugin, created_at
)
INSERT INTO platform_core_webhookdelivery (endpoint_id, message_id, event_type, plugin, state, attempts, next_attempt_at,
    created_at, error, response_body)
SELECT wanted.id, message.id, event_type, plugin, 'pending', 0, created_at, created_at, '', '' FROM wanted, message
"""


def offer(event_id: UUID, event: Event) -> None:
    """Write what may leave of ``event`` for each endpoint that wants it; for none, nothing is written."""
    data = event.model_dump(mode="json", include=set(event.external_fields))
    execute_prepared(
        _OFFER,
        {"id": event_id, "patterns": patterns_of(event.name), "data": Jsonb(data)},
    )
