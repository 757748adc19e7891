"""Call a job for each endpoint to which something is due: one at a time for each, so that none holds up another."""

from __future__ import annotations

import datetime as dt
from typing import Final
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from platform_core.access import acting_as, system_actor

CALLED_FOR_S: Final = 90
"""A job that has not told its end after so long is called again: its worker died, or its transaction was undone."""
_CALL = """
UPDATE platform_core_webhookendpoint AS endpoint SET called_at = clock_timestamp()
WHERE endpoint.id IN (
    SELECT one.id FROM platform_core_webhookendpoint AS one
    WHERE one.enabled AND (one.resting_until IS NULL OR one.resting_until <= clock_timestamp())
        AND (one.called_at IS NULL OR one.called_at <= clock_timestamp() - make_interval(secs => %s))
        AND EXISTS (
            SELECT FROM platform_core_webhookdelivery AS due WHERE due.endpoint_id = one.id
            AND due.state = 'pending' AND due.next_attempt_at <= clock_timestamp()
        )
    ORDER BY one.called_at NULLS FIRST LIMIT 100 FOR NO KEY UPDATE SKIP LOCKED
)
RETURNING endpoint.id
"""


def call_senders() -> int:
    """Enqueue a job for each endpoint to which something is due and for which none works; return how many."""
    from platform_core.tasks.own import send_webhooks  # the tasks know this package

    with transaction.atomic(), acting_as(system_actor("webhooks")):
        with connection.cursor() as cursor:
            cursor.execute(_CALL, [CALLED_FOR_S])
            found = [row[0] for row in cursor.fetchall()]
        for endpoint_id in found:
            send_webhooks.enqueue(str(endpoint_id))
    return len(found)


def begin_turn(endpoint_id: UUID) -> dt.datetime:
    """Note that this process sends to an endpoint from now on, and nobody else; the moment stands for the turn."""
    from platform_core.models import WebhookEndpoint  # needs loaded models

    now = timezone.now()
    WebhookEndpoint.objects.filter(pk=endpoint_id).update(called_at=now)
    return now


def end_turn(endpoint_id: UUID, turn: dt.datetime) -> None:
    """Let another job be called for an endpoint, unless somebody else has taken the turn over."""
    from platform_core.models import WebhookEndpoint  # needs loaded models

    WebhookEndpoint.objects.filter(pk=endpoint_id, called_at=turn).update(called_at=None)
