"""Metrics of webhooks for Prometheus, labelled by the plugin whose events are told."""

from __future__ import annotations

from typing import Any

from django.db.models import Count

from platform_core.observability.metrics import Gauge, made_once

_BUCKETS = (0.05, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0)


@made_once
def _histogram() -> Any:
    from prometheus_client import Histogram

    return Histogram(
        "platform_webhook_seconds",
        "Seconds an attempt to deliver a webhook took.",
        ["plugin", "outcome"],
        buckets=_BUCKETS,
    )


def count_attempt(plugin: str, outcome: str, seconds: float) -> None:
    """Add an attempt to deliver."""
    _histogram().labels(plugin, outcome).observe(seconds)


def webhook_gauges() -> list[Gauge]:
    """Return how many messages wait or have failed, by the plugin whose event it is, and the disabled endpoints."""
    from platform_core.models import WebhookDelivery, WebhookEndpoint  # needs loaded models

    open_ones = WebhookDelivery.objects.exclude(state=WebhookDelivery.State.DELIVERED)
    counts = open_ones.values_list("plugin", "state").annotate(count=Count("pk")).order_by()
    disabled = WebhookEndpoint.objects.exclude(disabled_because="").filter(enabled=False)
    return [
        Gauge(
            name="platform_webhook_deliveries",
            help="Webhooks that wait or have failed for good; they are forgotten after a while.",
            labels=("plugin", "state"),
            values={(plugin, state): count for plugin, state, count in counts},
        ),
        Gauge(
            name="platform_webhook_endpoints_disabled",
            help="Endpoints that the platform has disabled because they are gone or failed for days.",
            values={(): disabled.count()},
        ),
    ]
