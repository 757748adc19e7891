"""Who may manage webhooks, and look at what became of what they were told."""

from __future__ import annotations

from typing import Final

from django.utils.translation import gettext_lazy as _

from platform_core.access import Granted
from platform_core.contributions import Permission

VIEW_WEBHOOKS: Final = "system.view_webhooks"
ADD_WEBHOOKS: Final = "system.add_webhooks"
CHANGE_WEBHOOKS: Final = "system.change_webhooks"
DELETE_WEBHOOKS: Final = "system.delete_webhooks"
ROTATE_SECRETS: Final = "system.rotate_webhook_secrets"
VIEW_MESSAGES: Final = "system.view_webhook_messages"
VIEW_DELIVERIES: Final = "system.view_webhook_deliveries"
VIEW_ATTEMPTS: Final = "system.view_webhook_attempts"
REDELIVER: Final = "system.redeliver_webhooks"
REDELIVER_FAILED: Final = "system.redeliver_failed_webhooks"
REPLAY: Final = "system.replay_webhooks"

_ENDPOINT, _MESSAGE = "platform_core.WebhookEndpoint", "platform_core.WebhookMessage"
_DELIVERY, _ATTEMPT = "platform_core.WebhookDelivery", "platform_core.WebhookAttempt"
PERMISSIONS = tuple(
    Permission(name=name, title=title, rule=Granted(name), model=model)
    for name, title, model in (
        (VIEW_WEBHOOKS, _("View webhook endpoints"), _ENDPOINT),
        (ADD_WEBHOOKS, _("Add webhook endpoints, to which events leave"), _ENDPOINT),
        (CHANGE_WEBHOOKS, _("Change and try out webhook endpoints"), _ENDPOINT),
        (DELETE_WEBHOOKS, _("Delete webhook endpoints"), _ENDPOINT),
        (ROTATE_SECRETS, _("Rotate secrets of webhook endpoints"), _ENDPOINT),
        (VIEW_MESSAGES, _("View what webhooks tell"), _MESSAGE),
        (VIEW_DELIVERIES, _("View webhook deliveries and what receivers answered"), _DELIVERY),
        (VIEW_ATTEMPTS, _("View all attempts to deliver webhooks"), _ATTEMPT),
        (REDELIVER, _("Deliver single webhooks again"), _DELIVERY),
        (REDELIVER_FAILED, _("Deliver all failed webhooks of an endpoint again"), _ENDPOINT),
        (REPLAY, _("Tell webhook endpoints what has happened before"), _ENDPOINT),
    )
)
