"""Webhooks over HTTP: the endpoints that are told, and what became of each delivery and attempt."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Final
from uuid import UUID

import orjson
from django.db.models import QuerySet
from django.http import HttpResponse
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from platform_core.access import Granted, Policy
from platform_core.contributions import Permission
from platform_core.errors import Conflict, Invalid
from platform_core.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint
from platform_core.outbound import OutboundError, check_url
from platform_core.resource import ModelSerializer, Resource, operation
from platform_core.resource.rendering import dumps
from platform_core.webhooks import services
from platform_core.webhooks.catalogue import check_patterns
from platform_core.webhooks.signing import new_secret
from platform_core.webhooks.telling import CHANGE_WEBHOOKS

VIEW_WEBHOOKS: Final = "system.view_webhooks"
ADD_WEBHOOKS: Final = "system.add_webhooks"
DELETE_WEBHOOKS: Final = "system.delete_webhooks"
ROTATE_SECRETS: Final = "system.rotate_webhook_secrets"
VIEW_DELIVERIES: Final = "system.view_webhook_deliveries"
VIEW_ATTEMPTS: Final = "system.view_webhook_attempts"
REDELIVER: Final = "system.redeliver_webhooks"
REDELIVER_FAILED: Final = "system.redeliver_failed_webhooks"

_ENDPOINT, _DELIVERY, _ATTEMPT = (
    model._meta.label for model in (WebhookEndpoint, WebhookDelivery, WebhookAttempt)
)
PERMISSIONS = tuple(
    Permission(name=name, title=title, rule=Granted(name), model=model)
    for name, title, model in (
        (VIEW_WEBHOOKS, _("View webhook endpoints"), _ENDPOINT),
        (ADD_WEBHOOKS, _("Add webhook endpoints, to which events leave"), _ENDPOINT),
        (CHANGE_WEBHOOKS, _("Change and try out webhook endpoints"), _ENDPOINT),
        (DELETE_WEBHOOKS, _("Delete webhook endpoints"), _ENDPOINT),
        (ROTATE_SECRETS, _("Rotate secrets of webhook endpoints"), _ENDPOINT),
        (VIEW_DELIVERIES, _("View webhook deliveries and what receivers answered"), _DELIVERY),
        (VIEW_ATTEMPTS, _("View all attempts to deliver webhooks"), _ATTEMPT),
        (REDELIVER, _("Deliver single webhooks again"), _DELIVERY),
        (REDELIVER_FAILED, _("Deliver all failed webhooks of an endpoint again"), _ENDPOINT),
    )
)
_MOST_OVERLAP_H: Final = 168
_MOST_TYPES: Final = 100
_DISABLED = _("The endpoint is disabled; enable it first.")


class WebhookEndpointSerializer(ModelSerializer):
    """An address and what it is told. ``secret`` is shown once: by the answer that makes it."""

    url = serializers.CharField(max_length=2000)
    event_types = serializers.ListField(
        child=serializers.CharField(max_length=150), min_length=1, max_length=_MOST_TYPES
    )
    secret = serializers.SerializerMethodField()

    class Meta:
        model = WebhookEndpoint
        fields = (
            "id",
            "url",
            "description",
            "event_types",
            "enabled",
            "disabled_because",
            "failing_since",
            "secret",
            "previous_secret_until",
            "created_by_kind",
            "created_by_id",
            "created_at",
            "updated_at",
        )
        read_only_fields = (
            "id",
            "disabled_because",
            "failing_since",
            "previous_secret_until",
            "created_by_kind",
            "created_by_id",
            "created_at",
            "updated_at",
        )

    def get_secret(self, endpoint: WebhookEndpoint) -> str | None:
        """Return the secret if it was made just now."""
        found: str | None = self.context["view"].made_secrets.get(endpoint.pk)
        return found

    def validate_url(self, url: str) -> str:
        """Refuse what cannot be called."""
        try:
            check_url(url)
        except OutboundError as error:
            raise serializers.ValidationError(error.message, code=error.code) from error
        return url

    def validate_event_types(self, patterns: list[str]) -> list[str]:
        """Refuse what means no event; what stood there before may stay."""
        instance: Any = self.instance
        try:
            check_patterns(patterns, () if instance is None else instance.event_types)
        except Invalid as error:
            raise serializers.ValidationError(error.message, code=error.code) from error
        return list(dict.fromkeys(patterns))


class RotationSerializer(serializers.Serializer[Any]):
    """For how long the secret of before signs too."""

    overlap_hours = serializers.IntegerField(min_value=0, max_value=_MOST_OVERLAP_H, default=24)


class SinceSerializer(serializers.Serializer[Any]):
    """From when on."""

    since = serializers.DateTimeField()


def _is_enabled(endpoint: WebhookEndpoint) -> bool:
    return endpoint.enabled


class WebhookEndpointResource(Resource):
    """Addresses elsewhere that are told of events, signed after Standard Webhooks 1.0."""

    model = WebhookEndpoint
    serializer_class = WebhookEndpointSerializer
    name = "webhooks"
    actions = ("list", "retrieve", "create", "partial_update", "destroy")
    policy = Policy(
        view=VIEW_WEBHOOKS,
        add=ADD_WEBHOOKS,
        change=CHANGE_WEBHOOKS,
        delete=DELETE_WEBHOOKS,
        rotate_secret=ROTATE_SECRETS,
        ping=CHANGE_WEBHOOKS,
        redeliver_failed=REDELIVER_FAILED,
    )
    ordering = "-created_at"
    filterset_fields = {"enabled": ["exact"], "disabled_because": ["exact"]}
    search_fields = ("url", "description")

    @cached_property
    def made_secrets(self) -> dict[UUID, str]:
        """The secrets that this request has made, by endpoint; a trial makes none that would be kept."""
        return {}

    def create_object(self, serializer: ModelSerializer) -> WebhookEndpoint:
        """Add the endpoint with a new secret."""
        secret = new_secret()
        endpoint = WebhookEndpoint(
            **serializer.validated_data,
            secret=secret,
            created_by_kind=self.actor.kind,
            created_by_id=self.actor.id,
        )
        endpoint.save(force_insert=True)
        self._show(endpoint, secret)
        self.audit_details = {"event_types": endpoint.event_types}
        return endpoint

    def update_object(self, serializer: ModelSerializer) -> WebhookEndpoint:
        """Change the endpoint; one that is enabled begins anew."""
        endpoint: WebhookEndpoint = serializer.instance  # type: ignore[assignment]
        given = serializer.validated_data
        changed = sorted(name for name, value in given.items() if getattr(endpoint, name) != value)
        for name, value in given.items():
            setattr(endpoint, name, value)
        if given.get("enabled"):
            services.enable(endpoint=endpoint)
        endpoint.save()
        self.audit_details = {"changed": changed, "enabled": endpoint.enabled}
        return endpoint

    def delete_object(self, obj: WebhookEndpoint) -> None:
        """Delete the endpoint with its deliveries."""
        services.delete_endpoint(endpoint=obj)

    def as_kept(self, response: HttpResponse) -> HttpResponse:
        """Keep no secret for calls that are repeated: whoever lost it rotates it."""
        kept = orjson.loads(response.content)
        for one in (kept, *(result.get("data", {}) for result in kept.get("results", ()))):
            if one.get("secret"):
                one["secret"] = None
        return HttpResponse(dumps(kept), status=response.status_code, headers=response.headers)

    @operation(verb="rotate_secret", serializer_class=RotationSerializer)
    def rotate_secret(self, endpoint: WebhookEndpoint, data: Mapping[str, Any]) -> None:
        """Make a new secret, which the answer shows; the one before signs too for a while."""
        hours = data["overlap_hours"]
        overlap = dt.timedelta(hours=hours)
        self._show(endpoint, services.rotate_secret(endpoint=endpoint, overlap=overlap))
        self.audit_details = {"overlap_hours": hours}

    @operation(verb="ping", when=_is_enabled, reason=_DISABLED)
    def ping(self, endpoint: WebhookEndpoint, data: Mapping[str, Any]) -> dict[str, Any]:
        """Send a message that only tries the endpoint out; the answer says which delivery it is."""
        delivery = services.ping(endpoint=endpoint)
        return {"delivery": delivery.pk, "message": str(delivery.message_id)}

    @operation(
        verb="redeliver_failed",
        when=_is_enabled,
        reason=_DISABLED,
        serializer_class=SinceSerializer,
    )
    def redeliver_failed(
        self, endpoint: WebhookEndpoint, data: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Deliver again what has failed for good since a moment."""
        failed = WebhookDelivery.objects.filter(
            endpoint_id=endpoint.pk,
            state=WebhookDelivery.State.FAILED,
            created_at__gte=data["since"],
        )
        count = services.redeliver(deliveries=failed)
        self.audit_details = {"since": data["since"].isoformat(), "deliveries": count}
        return {"deliveries": count}

    def _show(self, endpoint: WebhookEndpoint, secret: str) -> None:
        if not self.is_trial:
            self.made_secrets[endpoint.pk] = secret


class WebhookDeliverySerializer(ModelSerializer):
    """A message to one endpoint: where it stands, and what the last attempt came to."""

    class Meta:
        model = WebhookDelivery
        fields = (
            "id",
            "endpoint_id",
            "message_id",
            "event_type",
            "plugin",
            "state",
            "attempts",
            "created_at",
            "attempted_at",
            "next_attempt_at",
            "error",
            "response_status",
            "response_body",
            "duration_ms",
        )
        read_only_fields = fields


class WebhookDeliveryResource(Resource):
    """Deliveries of the last 30 days, newest first; those that failed for good are the dead letters."""

    model = WebhookDelivery
    serializer_class = WebhookDeliverySerializer
    name = "webhook-deliveries"
    id_converter = "int"
    actions = ("list", "retrieve")
    policy = Policy(view=VIEW_DELIVERIES, redeliver=REDELIVER)
    ordering = "-id"
    filterset_fields = {
        "endpoint_id": ["exact"],
        "message_id": ["exact"],
        "event_type": ["exact"],
        "plugin": ["exact"],
        "state": ["exact"],
        "response_status": ["exact", "gte", "lt"],
        "created_at": ["gte", "lt"],
    }

    @operation(
        verb="redeliver",
        when=lambda delivery: delivery.state != WebhookDelivery.State.PENDING,
        reason=_("It is on its way already."),
    )
    def redeliver(self, delivery: WebhookDelivery, data: Mapping[str, Any]) -> None:
        """Deliver it again, under the id that it has, with all its attempts before it."""
        if not WebhookEndpoint.objects.filter(pk=delivery.endpoint_id, enabled=True).exists():
            raise Conflict(_DISABLED, code="not_possible")
        rows: QuerySet[WebhookDelivery] = WebhookDelivery.objects.filter(pk=delivery.pk)
        services.redeliver(deliveries=rows)


class WebhookAttemptSerializer(ModelSerializer):
    """One attempt to deliver, and what it came to."""

    class Meta:
        model = WebhookAttempt
        fields = (
            "id",
            "delivery",
            "number",
            "attempted_at",
            "duration_ms",
            "error",
            "response_status",
            "response_body",
        )
        read_only_fields = fields


class WebhookAttemptResource(Resource):
    """Attempts to deliver, the latest first: of each delivery the last 20, for as long as it is kept itself."""

    model = WebhookAttempt
    serializer_class = WebhookAttemptSerializer
    name = "webhook-attempts"
    id_converter = "int"
    actions = ("list", "retrieve")
    policy = Policy(view=VIEW_ATTEMPTS)
    parents = {"webhook-deliveries": "delivery"}
    ordering = "-id"
    filterset_fields = {
        "delivery": ["exact"],
        "error": ["exact"],
        "response_status": ["exact", "gte", "lt"],
        "attempted_at": ["gte", "lt"],
    }


RESOURCES: tuple[type[Resource], ...] = (
    WebhookEndpointResource,
    WebhookDeliveryResource,
    WebhookAttemptResource,
)

__all__: Sequence[str] = ("PERMISSIONS", "RESOURCES")
