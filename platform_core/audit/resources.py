"""The audit trail over HTTP: events to read, their personal parts to read or erase with permissions of their own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from platform_core.access import Granted, Policy
from platform_core.audit.erasing import take_payloads
from platform_core.contributions import Permission
from platform_core.models import AuditEvent, AuditPayload
from platform_core.resource import ModelSerializer, Resource, operation

VIEW_AUDIT = "system.view_audit"
EXPORT_AUDIT = "system.export_audit"
VIEW_PERSONAL = "system.view_audit_personal"
ERASE_PERSONAL = "system.erase_audit_personal"

_EVENT = "platform_core.AuditEvent"
_PAYLOAD = "platform_core.AuditPayload"

PERMISSIONS = (
    Permission(
        name=VIEW_AUDIT,
        title=_("View the audit trail"),
        rule=Granted(VIEW_AUDIT),
        model=_EVENT,
    ),
    Permission(
        name=EXPORT_AUDIT,
        title=_("Export the audit trail"),
        rule=Granted(EXPORT_AUDIT),
        model=_EVENT,
    ),
    Permission(
        name=VIEW_PERSONAL,
        title=_("View the personal part of audit events"),
        rule=Granted(VIEW_PERSONAL),
        model=_PAYLOAD,
    ),
    Permission(
        name=ERASE_PERSONAL,
        title=_("Erase the personal part of audit events"),
        rule=Granted(ERASE_PERSONAL),
        model=_PAYLOAD,
    ),
)


class AuditEventSerializer(ModelSerializer):
    """One action: who, what, on what, how it ended, in which request, and why."""

    class Meta:
        model = AuditEvent
        fields = (
            "id",
            "at",
            "actor_id",
            "actor_kind",
            "actor_label",
            "plugin",
            "action",
            "target_type",
            "target_id",
            "outcome",
            "code",
            "request_id",
            "reason",
            "details",
        )
        read_only_fields = fields


class AuditEventResource(Resource):
    """Everything that was done, refused or failed, newest first; nobody changes it."""

    model = AuditEvent
    serializer_class = AuditEventSerializer
    name = "audit"
    id_converter = "int"
    actions = ("list", "retrieve")
    policy = Policy(view=VIEW_AUDIT, export=EXPORT_AUDIT)
    ordering = "-id"
    filterset_fields = {
        "actor_id": ["exact"],
        "actor_kind": ["exact"],
        "plugin": ["exact"],
        "action": ["exact"],
        "target_type": ["exact"],
        "target_id": ["exact"],
        "outcome": ["exact"],
        "code": ["exact"],
        "request_id": ["exact"],
        "at": ["gte", "lt"],
    }
    search_fields = ("action", "target_type", "target_id", "actor_label", "reason")


class AuditPayloadSerializer(ModelSerializer):
    """What is personal of one event, such as the address that it came from; empty once it is erased."""

    class Meta:
        model = AuditPayload
        fields = ("event_id", "content")
        read_only_fields = fields


class ErasureSerializer(serializers.Serializer[Any]):
    """Why something is erased."""

    reason = serializers.CharField(max_length=500)


class AuditPayloadResource(Resource):
    """The personal parts of events, one by one: each look leaves an event, and so does each erasure."""

    model = AuditPayload
    serializer_class = AuditPayloadSerializer
    name = "audit-payloads"
    id_converter = "int"
    actions = ("retrieve",)
    audited_reads = ("retrieve",)
    policy = Policy(view=VIEW_PERSONAL, erase=ERASE_PERSONAL)
    ordering = "-event_id"

    @operation(
        verb="erase",
        when=lambda payload: payload.content is not None,
        reason=_("It is erased already."),
        serializer_class=ErasureSerializer,
    )
    def erase(self, payload: AuditPayload, data: Mapping[str, Any]) -> None:
        """Erase what is personal; the event stays, and goes on to be verified."""
        take_payloads([payload.pk])


RESOURCES: tuple[type[Resource], ...] = (AuditEventResource, AuditPayloadResource)
