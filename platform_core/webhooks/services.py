"""What people do about endpoints and deliveries."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from django.utils import timezone

from platform_core.encryption import DecryptionError
from platform_core.models import (
    WebhookAttempt,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookMessage,
    WebhookTurn,
    uuid7,
)
from platform_core.system import SLUG
from platform_core.webhooks.catalogue import PING
from platform_core.webhooks.signing import new_secret

if TYPE_CHECKING:
    from django.db.models import QuerySet


def rotate_secret(*, endpoint: WebhookEndpoint, overlap: dt.timedelta) -> str:
    """Give ``endpoint`` a new secret and return it; the one before signs too for as long as ``overlap`` lasts."""
    secret = new_secret()
    earlier = _readable_secret(endpoint) if overlap > dt.timedelta() else None
    keeps = earlier is not None
    endpoint.previous_secret = earlier
    endpoint.previous_secret_until = timezone.now() + overlap if keeps else None
    endpoint.secret = secret
    endpoint.save()
    return secret


def _readable_secret(endpoint: WebhookEndpoint) -> str | None:
    """Return the present secret; None when its key is gone: then nobody can sign by it any more."""
    try:
        return endpoint.secret
    except DecryptionError:
        return None


def ping(*, endpoint: WebhookEndpoint) -> WebhookDelivery:
    """Put a message on its way that only tries ``endpoint`` out."""
    now = timezone.now()
    message = WebhookMessage.objects.create(
        id=uuid7(),
        event_type=PING,
        plugin=SLUG,
        data={"endpoint": str(endpoint.pk)},
        occurred_at=now,
        created_at=now,
    )
    return WebhookDelivery.objects.create(
        endpoint_id=endpoint.pk,
        message_id=message.pk,
        event_type=message.event_type,
        plugin=message.plugin,
        next_attempt_at=now,
        created_at=now,
    )


def redeliver(*, deliveries: QuerySet[WebhookDelivery]) -> int:
    """Let ``deliveries`` begin anew, each under the id that its message has, and return how many."""
    return deliveries.exclude(state=WebhookDelivery.State.PENDING).update(
        state=WebhookDelivery.State.PENDING, attempts=0, next_attempt_at=timezone.now()
    )


def delete_endpoint(*, endpoint: WebhookEndpoint) -> None:
    """Remove ``endpoint`` for good, with its secrets and what its receiver answered."""
    key = endpoint.pk
    endpoint.delete()
    WebhookAttempt.objects.filter(delivery__endpoint_id=key).delete()
    WebhookDelivery.objects.filter(endpoint_id=key).delete()
    WebhookTurn.objects.filter(pk=key).delete()


def enable(*, endpoint: WebhookEndpoint) -> None:
    """Forget on the unsaved ``endpoint`` why it was disabled, and how it failed."""
    endpoint.enabled, endpoint.disabled_because = True, ""
    endpoint.failing_since = endpoint.resting_until = None
    endpoint.overloads = 0
