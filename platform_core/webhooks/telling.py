"""Write to whoever has to know that an endpoint was disabled: who made it, else those who may enable it again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, Literal

import structlog
from django.db import transaction
from django.utils import timezone

from platform_core.access import Actor, Contact, Contacts, installed_grant_source
from platform_core.mail import send_mail
from platform_core.outbound.targets import target_of
from platform_core.webhooks.mails import Reason, WebhookDisabled
from platform_core.webhooks.permissions import CHANGE_WEBHOOKS

if TYPE_CHECKING:
    from platform_core.models import WebhookEndpoint

log = structlog.get_logger("platform_core.webhooks")

FAILING_DAYS: Final = 5
MOST_TOLD: Final = 10
"""So many of those who may enable it are written to: in a large deployment many may."""
Told = Literal["owner", "managers", "nobody"]


def tell_of_disabling(endpoint: WebhookEndpoint, because: Reason) -> Told:
    """Write a mail in the running transaction, and return to whom; what goes wrong keeps no endpoint enabled."""
    try:
        with transaction.atomic():
            told, contacts = _readers(endpoint)
            mail = _mail(endpoint, because)
            for one in contacts:
                send_mail(mail, to=one.address, language=one.language)
    except Exception:  # contacts are a plugin's
        log.exception(
            "nobody is told that a webhook endpoint was disabled", endpoint=str(endpoint.pk)
        )
        return "nobody"
    return told


def _readers(endpoint: WebhookEndpoint) -> tuple[Told, Sequence[Contact]]:
    source: Any = installed_grant_source()
    if not isinstance(source, Contacts):
        return "nobody", ()
    owner = _owner(endpoint)
    if owner is not None and owner.grants.get(CHANGE_WEBHOOKS).everywhere:
        contact = source.contact_of(owner)
        if contact is not None:
            return "owner", (contact,)
    managers = source.contacts_with(CHANGE_WEBHOOKS, MOST_TOLD)
    return ("managers" if managers else "nobody"), managers


def _owner(endpoint: WebhookEndpoint) -> Actor | None:
    """Return the person who made it."""
    key = endpoint.created_by_id
    return None if key is None or endpoint.created_by_kind != "user" else Actor(key, "user")


def _mail(endpoint: WebhookEndpoint, because: Reason) -> WebhookDisabled:
    from platform_core.models import WebhookDelivery  # needs loaded models

    pending = WebhookDelivery.State.PENDING
    waiting = WebhookDelivery.objects.filter(endpoint_id=endpoint.pk, state=pending)
    return WebhookDisabled(
        host=target_of(endpoint.url).host,
        endpoint=endpoint.pk,
        description=" ".join(endpoint.description.split()),
        because=because,
        days=FAILING_DAYS,
        waiting=waiting.count(),
        at=timezone.now(),
    )
