"""Webhooks over HTTP: the endpoints that are told, and what can be done about them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Final
from uuid import UUID

import orjson
from django.http import HttpResponse
from rest_framework import serializers

from platform_core.access import Policy
from platform_core.errors import Invalid
from platform_core.models import WebhookDelivery, WebhookEndpoint
from platform_core.outbound import OutboundError, check_url
from platform_core.resource import ModelSerializer, Resource, operation
from platform_core.resource.rendering import dumps
from platform_core.webhooks import services
from platform_core.webhooks.catalogue import check_patterns
from platform_core.webhooks.delivery_resources import (
    DISABLED,
    WebhookAttemptResource,
    WebhookDeliveryResource,
    WebhookMessageResource,
)
from platform_core.webhooks.permissions import (
    ADD_WEBHOOKS,
    CHANGE_WEBHOOKS,
    DELETE_WEBHOOKS,
    PERMISSIONS,
    REDELIVER_FAILED,
    REPLAY,
    ROTATE_SECRETS,
    VIEW_WEBHOOKS,
)
from platform_core.webhooks.replaying import replay
from platform_core.webhooks.signing import new_secret

_MOST_OVERLAP_H: Final = 168
_MOST_TYPES: Final = 100


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


class ReplaySerializer(SinceSerializer):
    """From when on, and whether what the endpoint was told already is told again."""

    again = serializers.BooleanField(default=False)


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
        replay=REPLAY,
    )
    ordering = "-created_at"
    filterset_fields = {
        "enabled": ["exact"],
        "disabled_because": ["exact"],
        "created_by_id": ["exact"],
    }
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

    @operation(verb="ping", when=_is_enabled, reason=DISABLED)
    def ping(self, endpoint: WebhookEndpoint, data: Mapping[str, Any]) -> dict[str, Any]:
        """Send a message that only tries the endpoint out; the answer says which delivery it is."""
        delivery = services.ping(endpoint=endpoint)
        return {"delivery": delivery.pk, "message": str(delivery.message_id)}

    @operation(
        verb="redeliver_failed",
        when=_is_enabled,
        reason=DISABLED,
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

    @operation(verb="replay", when=_is_enabled, reason=DISABLED, serializer_class=ReplaySerializer)
    def replay(self, endpoint: WebhookEndpoint, data: Mapping[str, Any]) -> dict[str, Any]:
        """Tell what has happened since a moment and was not told, such as while the endpoint was disabled.

        With ``again`` what was told is told once more. A call does a part of it where it is much; ``more_since`` is
        where the next one goes on.
        """
        replayed = replay(endpoint=endpoint, since=data["since"], again=data["again"])
        more = replayed.more_since
        self.audit_details = {
            "since": data["since"].isoformat(),
            "again": data["again"],
            "deliveries": replayed.deliveries,
        }
        return {
            "deliveries": replayed.deliveries,
            "unreadable": replayed.unreadable,
            "more_since": None if more is None else more.isoformat(),
        }

    def _show(self, endpoint: WebhookEndpoint, secret: str) -> None:
        if not self.is_trial:
            self.made_secrets[endpoint.pk] = secret


RESOURCES: tuple[type[Resource], ...] = (
    WebhookEndpointResource,
    WebhookMessageResource,
    WebhookDeliveryResource,
    WebhookAttemptResource,
)

__all__: Sequence[str] = ("PERMISSIONS", "RESOURCES")
