"""People are told of what happens to their account, in their language, whoever did it."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.core import mail
from django.utils import timezone

from platform_core.access import Contacts, installed_grant_source, system_actor
from platform_core.models import MailMessage, WebhookEndpoint
from platform_core.testing.jobs import deliver_events, run_waiting_jobs
from platform_core.webhooks.disabling import disable
from platform_core.webhooks.permissions import CHANGE_WEBHOOKS
from platform_core.webhooks.signing import new_secret
from platform_identity.authentication import actor_of_user
from platform_identity.models import User
from platform_identity.services import assignments, users
from platform_identity.testing import (
    PASSWORD,
    auth_header,
    grant,
    make_owner,
    make_role,
    make_unit,
    make_user,
    owner_role,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def person() -> User:
    return make_user("person@example.org", language="de")


def subjects() -> list[str]:
    """Let a worker do what is due, and return the subjects of what it sent to the person."""
    deliver_events(["identity"])
    run_waiting_jobs()
    return [one.subject for one in mail.outbox if one.to == ["person@example.org"]]


def test_whoever_is_suspended_and_let_in_again_is_told_of_both_with_the_time(person: User) -> None:
    make_owner()
    users.suspend_user(user=person)
    users.reactivate_user(user=person)

    assert sorted(subjects()) == ["Ihr Konto ist wieder aktiv", "Ihr Konto wurde gesperrt"]
    assert all("(CE" in one.body for one in mail.outbox)
    assert deliver_events(["identity"]) == 0
    assert len(subjects()) == 2


def test_what_is_done_twice_is_told_once(person: User) -> None:
    make_owner()
    users.suspend_user(user=person)
    users.suspend_user(user=person)

    assert subjects() == ["Ihr Konto wurde gesperrt"]


def test_a_new_password_is_told_with_its_time(person: User) -> None:
    users.set_password(user=person, password=PASSWORD)

    assert subjects() == ["Ihr Passwort wurde geändert"]
    assert "(CE" in mail.outbox[0].body
    assert PASSWORD not in mail.outbox[0].body


def test_the_old_address_hears_of_the_new_one_and_not_which_it_is(person: User) -> None:
    users.update_user(user=person, changed_by=actor_of_user(person), email="elsewhere@example.org")

    assert subjects() == ["Die E-Mail-Adresse Ihres Kontos wurde geändert"]
    assert "elsewhere" not in mail.outbox[0].body
    users.update_user(user=person, changed_by=actor_of_user(person), display_name="P")
    assert len(subjects()) == 1


@pytest.mark.parametrize(
    ("permissions", "told"),
    [
        (["identity.change_user"], True),
        (["system.view_audit", "identity.view_user"], False),
        (["education.change_course"], False),
    ],
)
def test_a_role_that_decides_about_others_is_told(
    person: User, permissions: list[str], told: bool
) -> None:
    auth_header(person)  # they have been here
    role = make_role(*permissions, name="night-watch")
    given = grant(person, role)
    assignments.unassign_role(assignment=given)

    expected = [
        "Sie haben die Rolle night-watch erhalten",
        "Sie haben die Rolle night-watch nicht mehr",
    ]
    # Two subscriptions: which of them is served first is open.
    assert sorted(subjects()) == (sorted(expected) if told else [])


def test_the_roles_of_a_new_account_are_not_told(person: User) -> None:
    assignments.assign_role(user=person, role=owner_role(), granted_by=system_actor("tests"))

    assert subjects() == []


def test_whoever_is_gone_meanwhile_is_told_nothing(person: User) -> None:
    make_owner()
    users.suspend_user(user=person)
    users.delete_user(user=person)

    assert subjects() == []
    assert not MailMessage.objects.exists()


def test_a_role_with_a_hostile_title_neither_breaks_the_notice_nor_gets_into_it(
    person: User, caplog: Any
) -> None:
    auth_header(person)
    role = make_role("identity.change_user", name="odd")
    role.title = "<b>Odd</b>\nBcc: victim@example.org"
    role.save()
    grant(person, role)

    assert subjects() == ["Sie haben die Rolle <b>Odd</b> Bcc: victim@example.org erhalten"]
    html = mail.outbox[0].alternatives[0][0]  # type: ignore[attr-defined]
    assert "<b>Odd" not in html


def test_whoever_made_a_webhook_is_told_that_it_was_disabled(person: User) -> None:
    owner = make_owner()
    grant(person, CHANGE_WEBHOOKS)
    endpoint = WebhookEndpoint.objects.create(
        url="https://hooks.example.org/in",
        event_types=["identity.*"],
        secret=new_secret(),
        created_by_kind="user",
        created_by_id=person.pk,
    )
    disable(endpoint, "gone")
    assert subjects() == ["Der Webhook an hooks.example.org wurde abgeschaltet"]

    users.suspend_user(user=person)
    WebhookEndpoint.objects.update(enabled=True)
    disable(endpoint, "gone")
    subjects()
    told = [one.to for one in mail.outbox if "hooks.example.org" in one.subject]
    assert told == [["person@example.org"], [owner.email]]


def test_those_who_hold_a_permission_everywhere_can_be_written_to(person: User) -> None:
    owner = make_owner()
    in_a_unit, late, shut_out = (make_user(f"{name}@example.org") for name in ("a", "b", "c"))
    grant(person, CHANGE_WEBHOOKS)
    grant(in_a_unit, CHANGE_WEBHOOKS, scope=make_unit())
    grant(late, CHANGE_WEBHOOKS, starts_at=timezone.now() + dt.timedelta(days=1))
    grant(shut_out, CHANGE_WEBHOOKS)
    users.suspend_user(user=shut_out)
    source = installed_grant_source()
    assert isinstance(source, Contacts)

    found = source.contacts_with(CHANGE_WEBHOOKS, 10)
    assert {one.address for one in found} == {person.email, owner.email}
    assert {one.language for one in found if one.address == person.email} == {"de"}
    assert len(source.contacts_with(CHANGE_WEBHOOKS, 1)) == 1
    assert "person" not in repr(found), "addresses do not get into logs"
    assert source.contact_of(actor_of_user(shut_out)) is None
    assert source.contact_of(system_actor()) is None
