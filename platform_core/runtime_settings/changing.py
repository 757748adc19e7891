"""Change settings at run time, and put them back to what file and defaults say."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.db import connection, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from platform_core.access import current_actor, current_reason, current_request_id
from platform_core.audit import Event, record
from platform_core.errors import Conflict, Invalid, NotFound
from platform_core.models import SettingChange
from platform_core.registry.settings_report import is_harmless
from platform_core.runtime_settings.catalogue import Setting, all_settings, variable_of
from platform_core.runtime_settings.judging import (
    ValueRefused,
    as_json,
    as_text,
    from_text,
    judge,
    sift,
)
from platform_core.runtime_settings.reading import stored_values, watch

_ONE_AT_A_TIME = "SELECT pg_advisory_xact_lock(hashtextextended('platform_core.settings', 0))"


def set_value(
    *, variable: str, value: Any, reason: str = "", check: Callable[[int], None] | None = None
) -> None:
    """Set a setting for all processes, which see it within a second; text may say what a typed value says.

    ``check`` is called with the number of the setting's changes so far, and may refuse. Raises NotFound for an unknown
    setting, Conflict for one that cannot be changed so, and Invalid for a value that it does not accept.
    """
    with transaction.atomic():
        before = _enter(variable, check)
        setting = _changeable(variable)
        others, _left_out = sift(all_settings(), stored_values())
        own = others.get(setting.key, {})
        given = from_text(setting, value) if isinstance(value, str) else value
        try:
            accepted = judge(setting, given, own)
        except ValueRefused as error:
            raise Invalid(
                _("{variable} does not accept this: {why}.").format(variable=variable, why=error),
                code="setting_invalid",
                pointer="/value",
            ) from None
        was = own.get(setting.name, getattr(setting.start, setting.name))
        stored = as_json(setting, accepted)
        if "\\u0000" in json.dumps(stored):  # which the database cannot hold
            raise Invalid(_("Write no NUL character."), code="setting_invalid", pointer="/value")
        _write(setting.plugin, setting.name, before, value=stored, reason=reason)
        told = {"before": as_text(setting, was), "after": as_text(setting, accepted)}
        shown = is_harmless(setting.cls, setting.name, accepted)
        _tell("setting.changed", setting.plugin, variable, reason, told, shown=shown)


def reset_value(
    *, variable: str, reason: str = "", check: Callable[[int], None] | None = None
) -> bool:
    """Put a setting back to what file and default say, also one that no plugin knows any more; False if nothing was set.

    Raises NotFound when neither a setting nor a stored value is called so, and Conflict for one that cannot be changed.
    """
    with transaction.atomic():
        before = _enter(variable, check)
        stored = next((one for one in stored_values() if one.variable == variable), None)
        if stored is None:
            _changeable(variable)
            return False
        _write(stored.plugin, stored.name, before, is_reset=True, reason=reason)
        _tell("setting.reset", stored.plugin, variable, reason, {}, shown=True)
    return True


def version_of(variable: str) -> int:
    """Return how often the setting was changed at run time."""
    found = _changes_of(variable)
    return found[0].version if found else 0


def _changes_of(variable: str) -> list[SettingChange]:
    """Return the last change of the setting, if there was one."""
    newest = SettingChange.objects.order_by("plugin", "name", "-version").distinct("plugin", "name")
    return [one for one in newest if variable_of(one.plugin, one.name) == variable]


def _enter(variable: str, check: Callable[[int], None] | None) -> int:
    """Hold everybody else's changes back until the transaction ends, and return the version that is changed."""
    with connection.cursor() as cursor:
        cursor.execute(_ONE_AT_A_TIME)
    version = version_of(variable)
    if check is not None:
        check(version)
    return version


def _changeable(variable: str) -> Setting:
    setting = all_settings().get(variable)
    if setting is None:
        raise NotFound(_("There is no setting {variable}.").format(variable=variable))
    if not setting.is_editable:
        raise Conflict(
            _(
                "{variable} cannot be changed at run time. Set it in platform.toml or the environment, and restart."
            ).format(variable=variable),
            code="setting_not_editable",
        )
    if setting.start is None:
        raise Conflict(
            _(
                'The plugin {plugin} is not enabled. Enable it first: "platformctl plugin enable {plugin}".'
            ).format(plugin=setting.plugin),
            code="plugin_not_enabled",
        )
    if setting.source == "environment":
        raise Conflict(
            _(
                "{variable} is set in the environment, which comes first. Change it there and restart, or remove it there."
            ).format(variable=variable),
            code="environment_wins",
        )
    return setting


def _write(plugin: str, name: str, before: int, **values: Any) -> None:
    """Write the next change of a setting, with a later time than any: nobody else writes one now."""
    actor, now = current_actor(), timezone.now()
    last = (
        SettingChange.objects.order_by("-changed_at").values_list("changed_at", flat=True).first()
    )
    if last is not None and last >= now:  # another machine's clock is ahead
        now = last + timedelta(microseconds=1)
    reason = values.pop("reason") or current_reason()
    SettingChange.objects.create(
        plugin=plugin,
        name=name,
        version=before + 1,
        changed_at=now,
        actor_kind=actor.kind,
        actor_id=actor.id,
        request_id=current_request_id() or "",
        reason=reason,
        **values,
    )
    transaction.on_commit(watch().read, robust=True)  # what is committed is no failure


def _tell(
    action: str, plugin: str, variable: str, reason: str, values: dict[str, str], *, shown: bool
) -> None:
    """Record the change; values that are free text may be about people, and go into the part that can be erased."""
    record(
        Event(
            action=action,
            plugin=plugin,
            target_type="setting",
            target_id=variable,
            reason=reason,
            details=values if shown else {},
            personal={} if shown else values,
        )
    )
