"""That file or environment have changed is in the audit trail, by name and without any value."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from django.conf import settings
from django.test import override_settings
from pydantic import SecretStr

from platform_core.models import AuditEvent, SettingDigest
from platform_core.runtime_settings.configuration import note_configuration

pytestmark = pytest.mark.django_db


@pytest.fixture
def configure(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return the function that makes values those of platform.toml, and of identity's environment."""
    state = settings.PLATFORM

    def apply(secret: str | None = None, **core: Any) -> None:
        changed = state.deployment.core.model_copy(update=core)
        identity = state.plugin_settings["identity"]
        if secret is not None:
            monkeypatch.setenv("PLUGIN_IDENTITY_SIGNING_KEYS", secret)
            identity = identity.model_copy(update={"signing_keys": SecretStr(secret)})
        monkeypatch.setattr(
            settings,
            "PLATFORM",
            dataclasses.replace(
                state,
                deployment=dataclasses.replace(state.deployment, core=changed),
                plugin_settings={**state.plugin_settings, "identity": identity},
            ),
        )

    return apply


def told() -> list[Any]:
    return [
        one.details["settings"]
        for one in AuditEvent.objects.filter(action="configuration.changed").order_by("id")
    ]


def test_what_changed_since_the_last_start_is_named(configure: Any) -> None:
    configure(secret="hunter2", body_limit=5000)  # noqa: S106
    assert note_configuration("run") == []  # there is nothing to compare with
    assert note_configuration("run") == []
    configure(secret="hunter3", body_limit=6000, log_backups=9)  # noqa: S106

    changed = note_configuration("run")

    names = ["PLATFORM_BODY_LIMIT", "PLATFORM_LOG_BACKUPS", "PLUGIN_IDENTITY_SIGNING_KEYS"]
    assert changed == names
    configure(secret="hunter3", body_limit=6000)  # noqa: S106
    assert note_configuration("run") == ["PLATFORM_LOG_BACKUPS"]
    assert told() == [names, ["PLATFORM_LOG_BACKUPS"]]
    assert note_configuration("worker") == []  # which has its own first start
    kept = [bytes(one.digest) for one in SettingDigest.objects.all()]
    assert all(len(one) == 32 and b"hunter" not in one for one in kept)
    assert "hunter" not in json.dumps(list(AuditEvent.objects.values("details")))


def test_another_secret_key_is_named_alone_for_nothing_can_be_compared(configure: Any) -> None:
    configure(body_limit=5000)
    note_configuration("run")
    with override_settings(SECRET_KEY="another"):  # noqa: S106
        assert note_configuration("run") == ["SECRET_KEY"]
        assert note_configuration("run") == []
    assert told() == [["SECRET_KEY"]]
