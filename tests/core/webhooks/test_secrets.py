"""A secret is shown once and lies nowhere; while it is rotated, both sign."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone
from pydantic import SecretStr
from standardwebhooks import Webhook, WebhookVerificationError

from platform_core.conf.secrets import new_key
from platform_core.encryption import decrypt_bytes
from platform_core.models import (
    IdempotencyRecord,
    WebhookEndpoint,
)
from platform_core.webhooks.keeping import forget_messages
from tests.core.webhooks.steps import DELIVERIES, WEBHOOKS, Receive, add, deliver, tell

URL = "https://hooks.example.org/in"

pytestmark = pytest.mark.django_db


def everything_stored() -> str:
    """Return all that the tables of the platform hold, as text."""
    found = []
    with connection.cursor() as cursor:
        names = connection.introspection.table_names(cursor)
        for name in names:
            if name.startswith(("platform_core_", "procrastinate_")):
                cursor.execute(f'SELECT t::text FROM "{name}" AS t')
                found += [row[0] for row in cursor.fetchall()]
    return "\n".join(found)


def bodies_kept() -> str:
    """Return what the kept answers say once they are opened."""
    kept = IdempotencyRecord.objects.values_list("digest", "body")
    opened = [
        decrypt_bytes(bytes(body), place=f"idempotency:{bytes(digest).hex()}")
        for digest, body in kept
    ]
    assert opened
    return "\n".join(one.decode() for one in opened)


def test_a_secret_is_shown_once_and_lies_nowhere(
    operator: Any, receive: Receive, capfd: Any, caplog: Any
) -> None:
    receiver = receive()
    body = {"url": receiver.url, "event_types": ["identity.*"]}
    key = {"Idempotency-Key": "once"}
    made = operator.post(WEBHOOKS, body, headers=key)
    place = f"{WEBHOOKS}{made.json()['id']}/"
    rotated = operator.post(f"{place}rotate-secret/", {}, headers=key)
    tell()
    deliver()
    in_bulk = operator.post(f"{WEBHOOKS}bulk/create/", {"items": [body]}, headers=key)
    secrets = [
        made.json()["secret"],
        rotated.json()["secret"],
        in_bulk.json()["results"][0]["data"]["secret"],
    ]

    assert len({*secrets}) == 3
    assert all(one.startswith("whsec_") for one in secrets)
    shown = [
        operator.get(place).content,
        operator.get(WEBHOOKS).content,
        operator.patch(place, {"description": "x"}).content,
        operator.post(WEBHOOKS, body, headers=key).content,
        operator.post(f"{place}rotate-secret/", {}, headers=key).content,
        operator.post(f"{WEBHOOKS}bulk/create/", {"items": [body]}, headers=key).content,
        operator.get(DELIVERIES).content,
    ]
    streams = capfd.readouterr()
    told = "\n".join(
        [*(one.decode() for one in shown), caplog.text, streams.out, streams.err]
        + [everything_stored(), bodies_kept()]
    )
    for secret in secrets:
        part = secret.removeprefix("whsec_")
        assert part not in told
        assert part.encode().hex() not in told


def test_a_repeated_call_says_that_its_secret_is_not_kept(operator: Any) -> None:
    body, key = {"url": URL, "event_types": ["identity.*"]}, {"Idempotency-Key": "again"}
    first = operator.post(WEBHOOKS, body, headers=key)
    again = operator.post(WEBHOOKS, body, headers=key)

    assert again.headers["Idempotency-Replayed"] == "true"
    assert (again.json()["id"], again.json()["secret"]) == (first.json()["id"], None)


def test_a_trial_shows_no_secret_and_adds_nothing(operator: Any) -> None:
    body = {"url": URL, "event_types": ["identity.*"]}
    answer = operator.post(f"{WEBHOOKS}?dry_run=true", body)
    assert (answer.status_code, answer.json()["secret"]) == (201, None)
    endpoint = add(operator, URL)
    place = f"{WEBHOOKS}{endpoint['id']}/rotate-secret/?dry_run=true"
    assert operator.post(place, {}).json()["secret"] is None
    kept = WebhookEndpoint.objects.get()
    assert (kept.secret, kept.previous_secret) == (endpoint["secret"], None)


def test_while_a_secret_is_rotated_both_sign(operator: Any, receive: Receive) -> None:
    receiver = receive()
    endpoint = add(operator, receiver.url)
    place = f"{WEBHOOKS}{endpoint['id']}/rotate-secret/"
    rotated = operator.post(place, {"overlap_hours": 1}).json()
    old, new = Webhook(endpoint["secret"]), Webhook(rotated["secret"])
    tell()
    deliver()
    arrived = receiver.arrived[-1]
    for either in (old, new):
        either.verify(arrived.body, arrived.headers)
    assert arrived.headers["webhook-signature"].count("v1,") == 2

    past = timezone.now() - dt.timedelta(seconds=1)
    WebhookEndpoint.objects.update(previous_secret_until=past)
    tell()
    deliver()
    arrived = receiver.arrived[-1]
    new.verify(arrived.body, arrived.headers)
    with pytest.raises(WebhookVerificationError):
        old.verify(arrived.body, arrived.headers)
    forget_messages()
    assert WebhookEndpoint.objects.get().previous_secret is None

    latest = Webhook(operator.post(place, {"overlap_hours": 0}).json()["secret"])
    tell()
    deliver()
    arrived = receiver.arrived[-1]
    latest.verify(arrived.body, arrived.headers)
    with pytest.raises(WebhookVerificationError):
        new.verify(arrived.body, arrived.headers)


def test_without_its_key_nothing_is_sent_and_a_new_secret_helps(
    operator: Any, receive: Receive, settings: Any
) -> None:
    receiver = receive()
    place = f"{WEBHOOKS}{add(operator, receiver.url)['id']}/"
    settings.PLATFORM_ENCRYPTION_KEYS = (SecretStr(new_key()),)
    tell()
    deliver()

    (failed,) = operator.get(DELIVERIES).json()["data"]
    assert (failed["state"], failed["error"]) == ("pending", "secret_unreadable")
    assert receiver.arrived == []
    assert operator.patch(place, {"description": "x"}).status_code == 200

    made = operator.post(f"{place}rotate-secret/", {}).json()
    assert made["previous_secret_until"] is None
    operator.post(f"{place}ping/", {})
    deliver()
    (arrived,) = receiver.arrived
    Webhook(made["secret"]).verify(arrived.body, arrived.headers)
