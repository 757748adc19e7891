"""Settings are changed at run time over HTTP: who may, what is accepted, what it does, and what stays of it."""

from __future__ import annotations

import datetime as dt
import logging
from typing import Any

import pytest
from django.core import mail
from django.db import connection
from django.test import RequestFactory, override_settings
from django.utils import timezone

from platform_core.access import acting_as
from platform_core.audit.resources import VIEW_AUDIT
from platform_core.conf import core_settings, settings_of
from platform_core.models import AuditEvent, AuditPayload, EventRecord, SettingChange, uuid7
from platform_core.resource import rate_limits
from platform_core.runtime_settings.changing import reset_value, set_value
from platform_core.runtime_settings.reading import watch
from platform_core.system.permissions import VIEW_SETTINGS
from platform_core.system.settings import CHANGE_SETTINGS, VIEW_CHANGES
from platform_core.tasks.own import forget_expired
from platform_core.testing.actors import GrantsDouble, client_for, new_user
from platform_core.testing.jobs import run_waiting_jobs
from platform_identity.adapters.accounts import AccountAdapter
from platform_identity.models import LoginSession
from platform_identity.services import sessions
from platform_identity.settings import IdentitySettings
from platform_identity.testing import make_user

SETTINGS = "/api/v1/system/settings/"
TTL = "PLUGIN_IDENTITY_SESSION_TTL"

pytestmark = pytest.mark.django_db


@pytest.fixture
def operator(grants: GrantsDouble) -> Any:
    actor = new_user()
    grants.give(actor, VIEW_SETTINGS, CHANGE_SETTINGS, VIEW_CHANGES, VIEW_AUDIT)
    return client_for(actor)


def patch(client: Any, variable: str, value: Any, **more: Any) -> Any:
    headers = more.pop("headers", {})
    query = more.pop("query", "")
    return client.patch(
        f"{SETTINGS}{variable}/{query}", {"value": value, **more}, format="json", headers=headers
    )


def changed(variable: str, value: Any) -> None:
    """Set a setting as if its transaction had been committed."""
    set_value(variable=variable, value=value)
    watch().read()


def test_a_setting_is_changed_looked_at_and_reset(operator: Any) -> None:
    place = f"{SETTINGS}{TTL}/"
    first = operator.get(place)
    assert (first.json()["value"], first.json()["source"]) == ("7776000", "default")

    done = patch(operator, TTL, 3600, reason="exam week", headers={"If-Match": first["ETag"]})

    assert done.status_code == 200, done.content
    assert done.json() | {"value": "3600", "source": "database"} == done.json()
    assert (done.json()["value_without"], done.json()["source_without"]) == ("7776000", "default")
    assert done["ETag"] == operator.get(place)["ETag"] != first["ETag"]
    assert operator.get(place, headers={"If-None-Match": done["ETag"]}).status_code == 304
    watch().read()
    assert settings_of(IdentitySettings).session_ttl == 3600

    back = operator.post(f"{place}reset/", {"reason": "over"}, format="json")

    assert (back.json()["value"], back.json()["source"]) == ("7776000", "default")
    watch().read()
    assert settings_of(IdentitySettings).session_ttl == 7_776_000
    history = operator.get(
        "/api/v1/system/setting-changes/?plugin=identity&name=session_ttl"
    ).json()
    assert [
        (one["version"], one["is_reset"], one["value"], one["reason"]) for one in history["data"]
    ] == [
        (2, True, None, "over"),
        (1, False, 3600, "exam week"),
    ]
    assert all(one["actor_kind"] == "user" and one["actor_id"] for one in history["data"])
    told = AuditEvent.objects.filter(target_type="setting").order_by("id")
    assert [(one.action, one.target_id, one.reason) for one in told] == [
        ("setting.changed", TTL, "exam week"),
        ("setting.reset", TTL, "over"),
    ]
    assert told[0].details == {"before": "7776000", "after": "3600"}


def test_text_that_was_set_is_told_in_the_erasable_part_only(operator: Any) -> None:
    assert patch(operator, "PLATFORM_EMAIL_FROM", "ann@example.org").status_code == 200
    event = AuditEvent.objects.get(target_type="setting")
    assert event.details == {}
    assert AuditPayload.objects.get(pk=event.pk).content["after"] == "ann@example.org"


@pytest.mark.parametrize(
    ("variable", "value", "status", "code"),
    [
        ("PLATFORM_NONE", 1, 404, "not_found"),
        ("PLATFORM_TIME_ZONE", "Europe/Paris", 409, "setting_not_editable"),
        ("PLUGIN_IDENTITY_SIGNING_KEYS", "hunter2", 409, "setting_not_editable"),
        (TTL, 5, 422, "setting_invalid"),
        (TTL, "soon", 422, "setting_invalid"),
        (TTL, [3600], 422, "setting_invalid"),
        (TTL, None, 422, "setting_invalid"),
        # What follows would have let nobody in any more, to take it back.
        (TTL, 10**18, 422, "setting_invalid"),
        ("PLUGIN_IDENTITY_REFRESH_TTL", 10**18, 422, "setting_invalid"),
        ("PLATFORM_RATE_LIMIT_SIGNED_IN", "0/hour", 422, "setting_invalid"),
        ("PLATFORM_RATE_LIMIT_SIGNED_IN", "1/2 year", 422, "setting_invalid"),
        ("PLATFORM_RATE_LIMIT_SIGNED_IN", "1000/" + "9" * 400 + " hour", 422, "setting_invalid"),
        ("PLATFORM_RATE_LIMIT_SIGNED_IN", "9" * 400 + "/hour", 422, "setting_invalid"),
        ("PLATFORM_SITE_NAME", "[" * 100_000, 422, "setting_invalid"),
        ("PLATFORM_RATE_LIMIT_ANONYMOUS", "many", 422, "setting_invalid"),
        ("PLATFORM_EMAIL_FROM", "a@example.org\r\nBcc: all@example.org", 422, "setting_invalid"),
        ("PLATFORM_EMAIL_FROM", "a\0", 422, "setting_invalid"),
        ("PLATFORM_EMAIL_FROM", "(" * 100_000, 422, "setting_invalid"),
        ("PLATFORM_EMAIL_FROM", "(" * 490, 422, "setting_invalid"),
        ("PLATFORM_EMAIL_FROM", "a" * 500 + "@example.org", 422, "setting_invalid"),
    ],
)
def test_what_cannot_be_set_is_refused(
    variable: str, value: Any, status: int, code: str, operator: Any
) -> None:
    refused = patch(operator, variable, value)
    assert (refused.status_code, refused.json()["code"]) == (status, code)
    assert b"hunter2" not in refused.content
    assert not SettingChange.objects.exists()


def test_the_environment_wins_and_says_so(operator: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    changed(TTL, 3600)
    monkeypatch.setenv(TTL, "7776000")
    watch().read()

    assert settings_of(IdentitySettings).session_ttl == 7_776_000
    row = operator.get(f"{SETTINGS}{TTL}/").json()
    assert (row["source"], row["value"]) == ("environment", "7776000")
    assert "in the environment" in row["ignored"]
    assert patch(operator, TTL, 60).json()["code"] == "environment_wins"


def test_a_trial_an_old_state_and_a_stranger_change_nothing(
    operator: Any, grants: GrantsDouble
) -> None:
    tag = operator.get(f"{SETTINGS}{TTL}/")["ETag"]
    tried = patch(operator, TTL, 3600, query="?dry_run=true")
    assert (tried.json()["value"], tried["Dry-Run"]) == ("3600", "true")
    no_key = patch(operator, TTL, 3600, query="?dry_run=true", headers={"Idempotency-Key": ""})
    assert (no_key.status_code, no_key.json()["code"]) == (422, "invalid_idempotency_key")
    assert not SettingChange.objects.exists()

    assert patch(operator, TTL, 3600).status_code == 200
    late = patch(operator, TTL, 7200, headers={"If-Match": tag})
    assert (late.status_code, late.json()["code"]) == (412, "precondition_failed")

    viewer = new_user()
    grants.give(viewer, VIEW_SETTINGS)
    assert patch(client_for(viewer), TTL, 7200).status_code == 403
    assert client_for(viewer).post(f"{SETTINGS}{TTL}/reset/").status_code == 403
    assert SettingChange.objects.count() == 1


def test_a_call_that_is_repeated_changes_once(operator: Any) -> None:
    answers = [patch(operator, TTL, 3600, headers={"Idempotency-Key": "k"}) for _ in range(2)]
    assert [one.status_code for one in answers] == [200, 200]
    assert answers[1]["Idempotency-Replayed"] == "true"
    assert SettingChange.objects.count() == 1


def test_sessions_last_as_long_as_was_set() -> None:
    changed(TTL, 3600)
    started = sessions.start_session(user=make_user(), kind=LoginSession.Kind.APP)
    assert started.expires_at - timezone.now() < dt.timedelta(seconds=3601)


def test_limits_levels_senders_and_sign_up_follow() -> None:
    request = RequestFactory().get("/")
    with override_settings(PLATFORM_RATE_LIMITS={"signed_in": "off", "anonymous": "off"}):
        assert rate_limits.general_limit("anonymous") is None
        changed("PLATFORM_RATE_LIMIT_ANONYMOUS", "7/minute")
        limit = rate_limits.general_limit("anonymous")
    assert limit is not None
    assert (limit.amount, limit.seconds) == (7, 60)

    changed("PLATFORM_LOG_LEVEL", "ERROR")
    assert not logging.getLogger("platform_core.requests").isEnabledFor(logging.INFO)
    reset_value(variable="PLATFORM_LOG_LEVEL")
    watch().read()
    assert logging.getLogger("platform_core.requests").isEnabledFor(logging.INFO)

    changed("PLUGIN_IDENTITY_SIGNUP_OPEN", "true")
    assert AccountAdapter().is_open_for_signup(request) is True

    changed("PLATFORM_EMAIL_FROM", "School <school@example.org>")
    user = make_user()
    asked = "/api/v1/identity/auth/app/v1/auth/password/request"
    client_for(None).post(asked, {"email": user.email}, format="json")
    run_waiting_jobs()
    assert mail.outbox[-1].from_email == "School <school@example.org>"


def test_events_are_kept_as_long_as_was_set() -> None:
    for days in (3, 5):
        EventRecord.objects.create(
            id=uuid7(),
            name="identity.user.created",
            version=1,
            plugin="identity",
            aggregate=f"identity.user:{days}",
            sequence=1,
            payload={},
            occurred_at=timezone.now() - dt.timedelta(days=days),
            actor_kind="system",
        )
    changed("PLATFORM_EVENTS_KEPT_DAYS", 4)
    assert core_settings().events_kept_days == 4

    forget_expired.func()

    assert [one.aggregate for one in EventRecord.objects.all()] == ["identity.user:3"]


def test_what_is_not_editable_costs_no_query_and_what_is_none_in_a_transaction(
    django_assert_num_queries: Any,
) -> None:
    with django_assert_num_queries(0), acting_as(new_user()):
        for _ in range(3):
            assert settings_of(IdentitySettings).access_ttl == 600
    assert connection.in_atomic_block
