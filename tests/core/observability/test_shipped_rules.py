"""The alerts and the dashboard that are shipped ask for metrics and labels that ``/metrics`` really gives."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.db import DatabaseError
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families

from platform_core.models import WebhookEndpoint
from platform_core.observability import health
from platform_core.observability.metrics import recorder
from platform_core.tasks.backend import engine
from platform_core.tasks.engine import Submission
from platform_core.tasks.measuring import count_job
from platform_core.webhooks.measuring import count_attempt
from platform_core.webhooks.services import ping
from platform_core.webhooks.signing import new_secret

ROOT = Path(__file__).resolve().parents[3]
ALERTS = ROOT / "deploy" / "prometheus" / "alerts.yml"
DASHBOARD = ROOT / "deploy" / "grafana" / "dashboard.json"
ADDED_BY_PROMETHEUS = {"le"}
_METRIC = re.compile(r"\bplatform_[a-z_]+")
_SELECTOR = re.compile(r"\{([^{}]*)\}")
_MATCHED = re.compile(r"([a-z_]+)\s*(?:=~|!~|!=|=)")
_GROUPED = re.compile(r"\b(?:by|on|without|ignoring)\s*\(([^()]*)\)")

pytestmark = pytest.mark.django_db


@pytest.fixture
def exposed() -> dict[str, set[str]]:
    """Return the labels of each sample that a deployment gives once everything has happened there."""
    engine().enqueue(Submission(task="identity.none", queue="identity", payload={}))
    recorder().add("identity", 200, 0.01, 1, 0.001)
    recorder().add_deprecated("identity", "resource", "user")
    count_job("identity", "identity.none", "failed", 0.1)
    count_attempt("identity", "delivered", 0.1)
    ping(endpoint=WebhookEndpoint.objects.create(event_types=[], secret=new_secret()))
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(scraped()):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


def scraped() -> str:
    answer = Client().get("/metrics", headers={"Host": "localhost"})
    assert answer.status_code == 200
    return answer.content.decode()


def faults(expression: str, exposed: dict[str, set[str]]) -> Iterator[str]:
    """Yield what an expression asks for and would never get."""
    metrics = set(_METRIC.findall(expression))
    labels = {name for part in _SELECTOR.findall(expression) for name in _MATCHED.findall(part)}
    for part in _GROUPED.findall(expression):
        labels |= {one.strip() for one in part.split(",") if one.strip()}
    if not metrics:
        yield f"no metric in {expression}"
    yield from (f"no metric {one}" for one in metrics - exposed.keys())
    known = ADDED_BY_PROMETHEUS.union(*(exposed[one] for one in metrics & exposed.keys()))
    yield from (f"no label {one}" for one in labels - known)
    for left, right in ("()", "{}", "[]"):
        if expression.count(left) != expression.count(right):
            yield f"unequal {left}{right} in {expression}"


def alerts() -> list[dict[str, Any]]:
    groups = yaml.safe_load(ALERTS.read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def expressions() -> list[str]:
    panels = json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]
    return [target["expr"] for panel in panels for target in panel["targets"]]


def test_the_alerts_ask_for_what_there_is(exposed: dict[str, set[str]]) -> None:
    found = {one["alert"]: [*faults(one["expr"], exposed)] for one in alerts()}
    assert not any(found.values()), found


def test_the_dashboard_asks_for_what_there_is(exposed: dict[str, set[str]]) -> None:
    found = {one: [*faults(one, exposed)] for one in expressions()}
    assert len(found) >= 10
    assert not any(found.values()), found


@pytest.mark.parametrize(
    ("expression", "told"),
    [
        ("rate(platform_requests_total[5m])", "no metric platform_requests_total"),
        ('platform_jobs{state="failed"}', "no label state"),
        ("sum by (owner) (platform_jobs)", "no label owner"),
        ("sum(platform_jobs", "unequal () in sum(platform_jobs"),
        ("up == 0", "no metric in up == 0"),
    ],
)
def test_a_wrong_expression_is_caught(
    expression: str, told: str, exposed: dict[str, set[str]]
) -> None:
    assert [*faults(expression, exposed)] == [told]


def test_every_alert_says_whose_it_is_how_bad_and_what_to_do(exposed: dict[str, set[str]]) -> None:
    names = [one["alert"] for one in alerts()]
    assert len(set(names)) == len(names)
    for one in alerts():
        assert one["labels"]["severity"] in ("warning", "critical")
        assert one["annotations"]["summary"]
        assert one["annotations"]["description"]
        used = set(re.findall(r"\$labels\.(\w+)", json.dumps(one["annotations"])))
        named = {name for metric in _METRIC.findall(one["expr"]) for name in exposed[metric]}
        assert used <= named
        whole = "plugin" in one["labels"] or one["alert"] == "PlatformNotReady"
        assert whole or "plugin" in used


def test_readiness_checks_and_jobs_are_read_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    engine().enqueue(Submission(task="identity.none", queue="identity", payload={}))
    text = scraped()
    assert re.search(r'^platform_jobs\{plugin="identity",status="waiting"\} [1-9]', text, re.M)
    checks = {
        frozenset(sample.labels.items()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "platform_check_healthy"
    }
    key = frozenset({"check": "database", "critical": "true", "plugin": "platform_core"}.items())
    assert checks[key] == 1

    def away() -> Any:
        raise DatabaseError

    monkeypatch.setattr(health, "job_gauges", away)
    assert "platform_jobs" not in scraped()
    assert "platform_ready" in scraped()
