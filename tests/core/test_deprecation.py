"""A hook that is going away warns whoever implements it, at the place of the implementation, and still works."""

from __future__ import annotations

import warnings
from types import ModuleType
from typing import Any

import pluggy

from platform_core.deprecation import RemovedInPlatform20Warning, going_hookspec
from platform_core.hookspecs import PROJECT, hookimpl, hookspec


def hooks() -> Any:
    """Return a module with a hook that goes away and one that stays."""
    specified: Any = ModuleType("specified")

    @going_hookspec(RemovedInPlatform20Warning, "Implement staying.")
    def going() -> list[int]:
        """Return numbers."""

    @hookspec
    def staying() -> list[int]:
        """Return numbers."""

    specified.going, specified.staying = going, staying
    return specified


def implementing(name: str) -> Any:
    """Return a plugin that implements the hook ``name``."""
    plugin: Any = ModuleType("plugin")

    @hookimpl(specname=name)
    def numbers() -> list[int]:
        return [1]

    plugin.numbers = numbers
    return plugin


def registered(name: str) -> tuple[pluggy.PluginManager, list[warnings.WarningMessage]]:
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(hooks())
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        manager.register(implementing(name), name="toy")
        manager.check_pending()
    return manager, caught


def test_a_plugin_with_a_hook_that_goes_away_is_warned_and_still_called() -> None:
    manager, caught = registered("going")

    (warning,) = caught
    assert warning.category is RemovedInPlatform20Warning
    assert str(warning.message) == "This hook goes away in 2.0. Implement staying."
    assert warning.filename == __file__
    assert manager.hook.going() == [[1]]


def test_a_hook_that_stays_does_not_warn() -> None:
    assert registered("staying")[1] == []


def test_the_warning_is_shown_where_people_look_for_deprecations() -> None:
    assert issubclass(RemovedInPlatform20Warning, DeprecationWarning)
