"""Whoever made an endpoint hears that the platform has disabled it; where nobody can, those who may enable it again."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

import pytest
from django.core import mail
from django.utils import timezone

from platform_core.access import (
    Actor,
    Contact,
    PermissionRegistry,
    installed_grant_source,
    installed_permissions,
    using_permissions,
)
from platform_core.mail.rendering import render
from platform_core.models import (
    AuditEvent,
    MailMessage,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookTurn,
)
from platform_core.testing.actors import GrantsDouble, client_for, new_user
from platform_core.testing.jobs import run_waiting_jobs
from platform_core.webhooks.attempting import Attempt
from platform_core.webhooks.delivering import keep, next_due
from platform_core.webhooks.disabling import disable
from platform_core.webhooks.mails import WebhookDisabled
from platform_core.webhooks.permissions import ADD_WEBHOOKS, CHANGE_WEBHOOKS, VIEW_WEBHOOKS
from tests.core.webhooks.steps import WEBHOOKS, add, begin_turn, tell

URL = "https://hooks.example.org/in?token=hidden"

pytestmark = pytest.mark.django_db


class KnowingGrants(GrantsDouble):
    """A source of grants that knows how people are written to."""

    def __init__(self) -> None:
        super().__init__(installed_grant_source())
        self.contacts: dict[UUID | None, Contact] = {}
        self.is_broken = False

    def know(self, actor: Actor, address: str, language: str = "") -> None:
        self.contacts[actor.id] = Contact(address=address, language=language)

    def contact_of(self, actor: Actor) -> Contact | None:
        if self.is_broken:
            raise LookupError("the directory does not answer")
        return self.contacts.get(actor.id)

    def contacts_with(self, permission: str, most: int) -> Sequence[Contact]:
        holders = [
            contact
            for key, contact in self.contacts.items()
            if key and self.grants(Actor(key, "user")).get(permission).everywhere
        ]
        return holders[:most]


@pytest.fixture
def people() -> Iterator[KnowingGrants]:
    double = KnowingGrants()
    with using_permissions(PermissionRegistry(list(installed_permissions()), double)):
        yield double


@pytest.fixture
def owner(people: KnowingGrants) -> Actor:
    actor = new_user()
    people.give(actor, VIEW_WEBHOOKS, ADD_WEBHOOKS, CHANGE_WEBHOOKS)
    people.know(actor, "owner@example.org", "fr")
    return actor


@pytest.fixture
def manager(people: KnowingGrants) -> Actor:
    actor = new_user()
    people.give(actor, CHANGE_WEBHOOKS)
    people.know(actor, "manager@example.org", "de")
    return actor


def made_by(actor: Actor) -> WebhookEndpoint:
    add(client_for(actor), URL)
    return WebhookEndpoint.objects.get()


def sent() -> list[tuple[list[str], str]]:
    """Let a worker send what is due; return to whom which subject went."""
    run_waiting_jobs()
    return sorted((one.to, one.subject) for one in mail.outbox)


def told() -> list[str]:
    return [one.details["told"] for one in AuditEvent.objects.filter(action="disable")]


FRENCH = "Le webhook vers hooks.example.org a été désactivé"
GERMAN = "Der Webhook an hooks.example.org wurde abgeschaltet"


def test_whoever_made_it_is_told_in_their_language(owner: Actor, manager: Actor) -> None:
    endpoint = made_by(owner)
    assert (endpoint.created_by_kind, endpoint.created_by_id) == ("user", owner.id)
    shown = client_for(owner).get(f"{WEBHOOKS}{endpoint.pk}/").json()
    assert (shown["created_by_kind"], shown["created_by_id"]) == ("user", str(owner.id))
    tell()
    due = next_due(endpoint.pk, begin_turn(str(endpoint.pk)))
    assert due is not None
    tell()
    keep(due, Attempt(status=410, duration_ms=1))

    assert sent() == [(["owner@example.org"], FRENCH)]
    assert told() == ["owner"]
    body = mail.outbox[0].body
    assert str(endpoint.pk) in body
    assert "attendent\u202f: 1." in body
    assert "410" in body
    assert "hidden" not in body


def test_days_of_failure_are_told_once_for_each_disabling(owner: Actor) -> None:
    endpoint = made_by(owner)
    for round_ in (1, 2):
        tell()
        WebhookEndpoint.objects.update(failing_since=timezone.now() - dt.timedelta(days=6))
        WebhookDelivery.objects.update(attempts=5, next_attempt_at=timezone.now())
        WebhookTurn.objects.all().delete()
        late = next_due(endpoint.pk, begin_turn(str(endpoint.pk)))
        assert late is not None
        keep(late, Attempt(status=500, duration_ms=1))
        keep(late, Attempt(status=500, duration_ms=1))  # one that was under way as well
        assert not WebhookEndpoint.objects.get().enabled
        assert len(sent()) == len(told()) == round_
        place = f"{WEBHOOKS}{endpoint.pk}/"
        assert client_for(owner).patch(place, {"enabled": True}).status_code == 200
    assert "5 jours" in mail.outbox[0].body


@pytest.mark.parametrize("what", ["gone", "without the permission", "command", "service"])
def test_where_the_owner_cannot_those_who_may_are_told(
    what: str, owner: Actor, manager: Actor, people: KnowingGrants
) -> None:
    endpoint = made_by(owner)
    if what == "gone":
        del people.contacts[owner.id]
    elif what == "without the permission":
        people.take(owner, CHANGE_WEBHOOKS)
    elif what == "command":
        people.take(owner, CHANGE_WEBHOOKS)
        endpoint.created_by_kind, endpoint.created_by_id = "system", None
    else:
        people.take(owner, CHANGE_WEBHOOKS)
        endpoint.created_by_kind = "service"
    endpoint.save()
    disable(endpoint, "gone")

    assert sent() == [(["manager@example.org"], GERMAN)]
    assert told() == ["managers"]


def test_of_many_who_may_a_few_are_told(owner: Actor, people: KnowingGrants) -> None:
    endpoint = made_by(owner)
    del people.contacts[owner.id]
    for number in range(15):
        one = new_user()
        people.give(one, CHANGE_WEBHOOKS)
        people.know(one, f"manager{number}@example.org")
    disable(endpoint, "failing")
    assert len(sent()) == 10


def test_where_nobody_can_be_told_it_is_disabled_all_the_same(
    owner: Actor, people: KnowingGrants
) -> None:
    endpoint = made_by(owner)
    people.contacts.clear()
    disable(endpoint, "gone")
    assert (told(), sent()) == (["nobody"], [])

    WebhookEndpoint.objects.update(enabled=True)
    people.know(owner, "owner@example.org\n")  # no address
    disable(endpoint, "gone")
    WebhookEndpoint.objects.update(enabled=True)
    people.is_broken = True
    disable(endpoint, "gone")

    assert (told(), sent()) == (["nobody"] * 3, [])
    assert not WebhookEndpoint.objects.get().enabled
    assert MailMessage.objects.count() == 0


def test_a_source_of_grants_that_knows_no_addresses_tells_nobody(grants: GrantsDouble) -> None:
    actor = new_user()
    grants.give(actor, VIEW_WEBHOOKS, ADD_WEBHOOKS, CHANGE_WEBHOOKS)
    disable(made_by(actor), "gone")
    assert (told(), sent()) == (["nobody"], [])


@pytest.mark.parametrize("language", ["en", "fr", "de"])
@pytest.mark.parametrize("because", ["gone", "failing"])
def test_the_mail_reads_well_in_each_language(language: str, because: Any) -> None:
    example = WebhookDisabled.example().model_copy(
        update={"because": because, "description": "<b>Orders</b>"}
    )
    shown = render(example, language)
    assert "hooks.example.org" in shown.subject
    for part in (shown.text, shown.html):
        assert str(example.endpoint) in part
        assert ("410" in part) is (because == "gone")
        assert "12" in part
    assert "<b>Orders</b>" in shown.text
    assert "&lt;b&gt;Orders&lt;/b&gt;" in shown.html
    said = {line for line in shown.text.splitlines() if len(line) > 40}
    english = {line for line in render(example, "en").text.splitlines() if len(line) > 40}
    assert len(said & english) == (len(said) if language == "en" else 0)
