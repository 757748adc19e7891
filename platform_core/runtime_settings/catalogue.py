"""Every setting of the core and of the loaded plugins: what it is, and where its value comes from without the database."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from platform_core.conf.deployment import CoreSettings
from platform_core.conf.runtime import CORE as CORE_KEY
from platform_core.conf.runtime import editable_names
from platform_core.conf.settings import PluginSettings
from platform_core.registry.contents import installed
from platform_core.registry.settings_report import describe_settings
from platform_core.tasks.catalogue import CORE


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One setting; ``start`` are the settings that the process started with, none while its plugin is not enabled.

    ``source`` is where its value comes from without the database: ``environment``, ``platform.toml``, ``default`` or
    ``missing``.
    """

    variable: str
    plugin: str
    name: str
    type_name: str
    required: bool
    source: str
    cls: type[PluginSettings]
    start: PluginSettings | None

    @property
    def is_editable(self) -> bool:
        """Tell whether its owner lets it be changed at run time."""
        return self.name in editable_names(self.cls)

    @property
    def key(self) -> str:
        """The owner, as the process's overrides name it."""
        return CORE_KEY if self.plugin == CORE else self.plugin


def variable_of(plugin: str, name: str) -> str:
    """Return the environment variable of a setting, by which people call it."""
    return (f"PLATFORM_{name}" if plugin == CORE else f"PLUGIN_{plugin}_{name}").upper()


def all_settings() -> dict[str, Setting]:
    """Return all settings by variable."""
    return {one.variable: one for one in _found()}


def _found() -> Iterator[Setting]:
    state = settings.PLATFORM
    core = state.deployment.core
    # Names that were given: those that the environment did not give stand in the file.
    yield from _described(CORE, CoreSettings, core, dict.fromkeys(core.model_fields_set))
    for plugin in installed().plugins:
        cls = plugin.config.settings_class
        if cls is not None:
            section = state.deployment.plugin_sections.get(plugin.slug, {})
            yield from _described(plugin.slug, cls, state.plugin_settings.get(plugin.slug), section)


def _described(
    plugin: str,
    cls: type[PluginSettings],
    start: PluginSettings | None,
    section: Mapping[str, Any],
) -> Iterator[Setting]:
    slug = "" if plugin == CORE else plugin
    for one in describe_settings(cls, slug, section, os.environ):
        yield Setting(
            variable=one["variable"],
            plugin=plugin,
            name=one["name"],
            type_name=one["type"],
            required=one["required"],
            source=one["source"],
            cls=cls,
            start=start,
        )
