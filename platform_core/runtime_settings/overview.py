"""What operators see of settings: values that are no secret, where they come from, and what may be changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.utils.translation import gettext as _

from platform_core.conf.meanings import meanings_of
from platform_core.conf.settings import PluginSettings
from platform_core.errors import NotFound
from platform_core.models import SettingChange
from platform_core.registry.settings_report import shown_value
from platform_core.runtime_settings.catalogue import Setting, all_settings, variable_of
from platform_core.runtime_settings.judging import NotInForce, StoredValue, as_text, sift
from platform_core.runtime_settings.reading import stored_values

Row = dict[str, Any]
DATABASE = "database"


def settings_in_force(stored: Iterable[StoredValue] | None = None) -> list[Row]:
    """Return the settings of the core and of the loaded plugins; no value that may be secret is among them.

    ``stored`` is what the database holds; it is asked by default.
    """
    known = all_settings()
    values, left_out = sift(known, stored_values() if stored is None else stored)
    ignored = {one.stored.variable: one for one in left_out}
    meanings: dict[type[PluginSettings], Mapping[str, str]] = {}
    rows = []
    for one in known.values():
        if one.cls not in meanings:
            meanings[one.cls] = meanings_of(one.cls)
        meaning = meanings[one.cls][one.name]
        rows.append(_row(one, meaning, values.get(one.key, {}), ignored.get(one.variable)))
    return rows


def _row(setting: Setting, meaning: str, own: Mapping[str, Any], ignored: NotInForce | None) -> Row:
    is_set = setting.name in own
    shown = without = None
    if setting.start is not None:
        now = setting.start.model_copy(update={setting.name: own[setting.name]}) if is_set else None
        shown, without = _shown(setting, now or setting.start), _shown(setting, setting.start)
    return {
        "variable": setting.variable,
        "plugin": setting.plugin,
        "name": setting.name,
        "type": setting.type_name,
        "required": setting.required,
        "meaning": meaning,
        "source": DATABASE if is_set else setting.source,
        "value": shown,
        "shown": shown is not None,
        "editable": setting.is_editable,
        "ignored": "" if ignored is None else ignored.why,
        "value_without": without if setting.is_editable else None,
        "source_without": setting.source,
    }


def _shown(setting: Setting, values: PluginSettings) -> str | None:
    if setting.is_editable:
        return as_text(setting, getattr(values, setting.name))
    return shown_value(setting.cls, setting.name, values)


def changes_of(variable: str, limit: int) -> list[Row]:
    """Return the newest changes of a setting, also of one that no plugin knows any more; raises NotFound."""
    known = all_settings().get(variable)
    owners = SettingChange.objects.values_list("plugin", "name").distinct()
    stored = [one for one in owners if variable_of(*one) == variable]
    if known is None and not stored:
        raise NotFound(_("There is no setting {variable}.").format(variable=variable))
    plugin, name = stored[0] if known is None else (known.plugin, known.name)
    found = SettingChange.objects.filter(plugin=plugin, name=name).order_by("-version")[:limit]
    return [
        {
            "version": one.version,
            "is_reset": one.is_reset,
            "value": one.value,
            "changed_at": one.changed_at.isoformat(),
            "actor_kind": one.actor_kind,
            "actor_id": None if one.actor_id is None else str(one.actor_id),
            "reason": one.reason,
        }
        for one in found
    ]
