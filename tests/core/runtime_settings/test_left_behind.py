"""Values that an upgrade leaves behind do not count: the deployment goes on without them, and says so."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone

from platform_core.conf import Editable, PluginSettings, settings_of
from platform_core.models import SettingChange
from platform_core.observability.health import check_health
from platform_core.runtime_settings.changing import reset_value
from platform_core.runtime_settings.overview import settings_in_force
from platform_core.runtime_settings.reading import settings_problems, watch
from platform_identity.settings import IdentitySettings

pytestmark = pytest.mark.django_db


def store(name: str, value: Any, plugin: str = "identity") -> None:
    SettingChange.objects.create(
        plugin=plugin,
        name=name,
        version=1,
        value=value,
        changed_at=timezone.now(),
        actor_kind="system",
    )


def test_what_does_not_count_any_more_is_told_and_hurts_nothing() -> None:
    store("session_ttl", 3600)
    store("access_ttl", 1_000_000)  # beyond what it may be
    store("colour", "red")
    store("issuer", "urn:other")  # is no setting for run time
    store("loan_days", 3, plugin="library")  # which is not installed
    watch().read()

    found = settings_of(IdentitySettings)
    assert (found.session_ttl, found.access_ttl) == (3600, 600)
    assert found.issuer == "urn:platform:identity"
    assert [one.place for one in settings_problems()] == [
        "PLUGIN_IDENTITY_COLOUR",
        "PLUGIN_IDENTITY_ISSUER",
        "PLUGIN_LIBRARY_LOAN_DAYS",
        "PLUGIN_IDENTITY_ACCESS_TTL",
    ]
    health = next(one for one in check_health() if one.name == "settings")
    assert (health.healthy, health.critical) == (False, False)
    rows = {one["variable"]: one for one in settings_in_force()}
    assert rows["PLUGIN_IDENTITY_ACCESS_TTL"]["source"] == "default"
    assert "3600" in rows["PLUGIN_IDENTITY_ACCESS_TTL"]["ignored"]

    for one in settings_problems():
        assert reset_value(variable=one.place)

    assert settings_problems() == []
    assert next(one for one in check_health() if one.name == "settings").healthy


def test_only_what_is_marked_is_editable_and_a_mark_takes_nothing_else() -> None:
    from typing import Annotated

    from platform_core.conf.runtime import editable_names

    class Marked(PluginSettings):
        """One of each."""

        days: Annotated[int, Editable()] = 3
        other: int = 4

    assert editable_names(Marked) == {"days"}
