"""Judge values for settings by the very fields that declare them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from pydantic import ValidationError

from platform_core.conf.settings import PluginSettings
from platform_core.runtime_settings.catalogue import Setting, variable_of


class ValueRefused(Exception):
    """A value that its setting does not accept; the text says why, without the value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredValue:
    """The newest value of a setting in the database."""

    plugin: str
    name: str
    value: Any

    @property
    def variable(self) -> str:
        """The environment variable of the setting."""
        return variable_of(self.plugin, self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class NotInForce:
    """A stored value that does not count, and why: ``unknown``, ``not_editable``, ``invalid`` or ``environment``."""

    stored: StoredValue
    code: str
    why: str


def judge(setting: Setting, value: Any, others: Mapping[str, Any]) -> Any:
    """Return what the field of ``setting`` makes of ``value``, beside what was set of its plugin; raises ValueRefused."""
    made = _made(setting, {**others, setting.name: value})
    return getattr(made, setting.name)


def as_json(setting: Setting, value: Any) -> Any:
    """Return an accepted ``value`` as it is stored."""
    assert setting.start is not None  # nothing is accepted for a plugin that is not enabled
    changed = setting.start.model_copy(update={setting.name: value})
    return changed.model_dump(mode="json", include={setting.name})[setting.name]


def as_text(setting: Setting, value: Any) -> str:
    """Return a value as people read and write it: text as it is, everything else as JSON."""
    plain = as_json(setting, value)
    return plain if isinstance(plain, str) else json.dumps(plain)


def from_text(setting: Setting, text: str) -> Any:
    """Return what may be meant by ``text``: lists and tables are written as JSON, everything else as it is."""
    if text == "null" or text.lstrip().startswith(("[", "{")):
        try:
            return orjson.loads(text)  # with a limit of depth, which the standard library's has not
        except orjson.JSONDecodeError:
            return text
    return text


def sift(
    known: Mapping[str, Setting], stored: Iterable[StoredValue]
) -> tuple[dict[str, dict[str, Any]], list[NotInForce]]:
    """Return the stored values that count, by owner and name, and those that do not.

    What belongs to a plugin that is not enabled is neither: it waits.
    """
    wanted: dict[str, list[tuple[Setting, Any]]] = {}
    left_out: list[NotInForce] = []
    for one in stored:
        setting = known.get(one.variable)
        why = _objection(setting)
        if why is not None:
            left_out.append(NotInForce(stored=one, code=why[0], why=why[1]))
        elif setting is not None and setting.start is not None:
            wanted.setdefault(setting.key, []).append((setting, one.value))
    values: dict[str, dict[str, Any]] = {}
    for key, own in wanted.items():
        accepted, refused = _accepted(own)
        values[key] = accepted
        left_out += refused
    return values, left_out


def _objection(setting: Setting | None) -> tuple[str, str] | None:
    if setting is None:
        return "unknown", "No loaded plugin has such a setting."
    if not setting.is_editable:
        return "not_editable", "The setting cannot be changed at run time any more."
    if setting.source == "environment":
        return "environment", f"{setting.variable} is set in the environment, which comes first."
    return None


def _accepted(own: Sequence[tuple[Setting, Any]]) -> tuple[dict[str, Any], list[NotInForce]]:
    """Return the values that the settings of one plugin accept together, else one by one in their order."""
    together = {setting.name: value for setting, value in own}
    try:
        made = _made(own[0][0], together)
    except ValueRefused:
        return _one_by_one(own)
    return {name: getattr(made, name) for name in together}, []


def _one_by_one(own: Sequence[tuple[Setting, Any]]) -> tuple[dict[str, Any], list[NotInForce]]:
    accepted: dict[str, Any] = {}
    refused = []
    for setting, value in own:
        try:
            accepted[setting.name] = judge(setting, value, accepted)
        except ValueRefused as error:
            stored = StoredValue(plugin=setting.plugin, name=setting.name, value=value)
            refused.append(NotInForce(stored=stored, code="invalid", why=str(error)))
    return accepted, refused


def _made(setting: Setting, values: Mapping[str, Any]) -> PluginSettings:
    """Return the settings of a plugin with ``values``; raises ValueRefused."""
    start = setting.start
    assert start is not None  # asked of enabled plugins only
    given = {name: getattr(start, name) for name in start.model_fields_set}
    try:
        return setting.cls(**{**given, **values})
    except ValidationError as error:
        (first, *_) = error.errors(include_context=False, include_url=False, include_input=False)
        raise ValueRefused(first["msg"]) from None
