"""What models are made of: ``BaseModel`` and its parts; also the core's own tables."""

from platform_core.models import links as _links  # noqa: F401 - it listens from now on
from platform_core.models.audit import AuditEvent, AuditPayload, AuditSeal
from platform_core.models.base import BaseModel
from platform_core.models.constraints import LIVE, UniqueAmongLive
from platform_core.models.encrypted import EncryptedTextField
from platform_core.models.events import EventDelivery, EventReceipt, EventRecord, EventStream
from platform_core.models.history import record_history
from platform_core.models.idempotency import IdempotencyRecord
from platform_core.models.identifiers import uuid7
from platform_core.models.ledger import PluginContribution, PluginRecord
from platform_core.models.mail import MailMessage
from platform_core.models.operations import Operation
from platform_core.models.querysets import AllObjects, LiveObjects, PlatformQuerySet
from platform_core.models.referrers import DeletionBlocked, Referrer, keep_for_reference
from platform_core.models.refusals import referrers_of
from platform_core.models.settings import SettingChange, SettingDigest
from platform_core.models.tasks import ScheduleTick, TaskRecord
from platform_core.models.webhooks import (
    WebhookAttempt,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookMessage,
    WebhookTurn,
)

__all__ = [
    "LIVE",
    "AllObjects",
    "AuditEvent",
    "AuditPayload",
    "AuditSeal",
    "BaseModel",
    "DeletionBlocked",
    "EncryptedTextField",
    "EventDelivery",
    "EventReceipt",
    "EventRecord",
    "EventStream",
    "IdempotencyRecord",
    "LiveObjects",
    "MailMessage",
    "Operation",
    "PlatformQuerySet",
    "PluginContribution",
    "PluginRecord",
    "Referrer",
    "ScheduleTick",
    "SettingChange",
    "SettingDigest",
    "TaskRecord",
    "UniqueAmongLive",
    "WebhookAttempt",
    "WebhookDelivery",
    "WebhookEndpoint",
    "WebhookMessage",
    "WebhookTurn",
    "keep_for_reference",
    "record_history",
    "referrers_of",
    "uuid7",
]
