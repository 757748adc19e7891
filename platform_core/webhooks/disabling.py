"""Disable an endpoint that says it is gone, or has failed for days; a mail and the audit trail tell of it."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final

import structlog

from platform_core.audit import Event, record
from platform_core.system import SLUG
from platform_core.webhooks.telling import FAILING_DAYS, tell_of_disabling

if TYPE_CHECKING:
    from platform_core.models import WebhookEndpoint
    from platform_core.webhooks.mails import Reason

log = structlog.get_logger("platform_core.webhooks")

_TRIED: Final = 3
"""So often a message was tried before its endpoint is disabled: days of silence are not days of failure."""


def has_failed_for_days(since: dt.datetime, attempts: int, now: dt.datetime) -> bool:
    """Tell whether an endpoint that has failed ``since`` is to be disabled after so many ``attempts`` of a message."""
    return attempts >= _TRIED and now - since >= dt.timedelta(days=FAILING_DAYS)


def disable(endpoint: WebhookEndpoint, because: Reason) -> None:
    """Disable ``endpoint`` in the running transaction; what waits for it stays, for the day it is enabled again."""
    found = type(endpoint).objects.select_for_update().filter(pk=endpoint.pk, enabled=True).first()
    if found is None:
        return
    found.enabled, found.disabled_because = False, because
    found.save(update_fields=["enabled", "disabled_because", "updated_at", "version"])
    told = tell_of_disabling(found, because)
    record(
        Event(
            action="disable",
            plugin=SLUG,
            target_type=found._meta.label_lower,
            target_id=str(found.pk),
            details={"because": because, "told": told},
        )
    )
    log.warning("webhook endpoint disabled", endpoint=str(found.pk), because=because, told=told)
