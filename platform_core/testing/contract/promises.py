"""What a plugin promises in words: translations, personal data, settings, events, the ends of its feature flags."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from django.apps import AppConfig, apps

from platform_core.conf.meanings import meanings_of
from platform_core.contributions import Flag
from platform_core.events.declaring import faults_of as faults_of_event
from platform_core.personal_data import faults_of, is_history
from platform_core.registry import installed
from platform_core.testing.catalogues import catalogue_faults, languages_shipped
from platform_core.testing.contract.subjects import PluginSubject


def check_translations(plugin: PluginSubject) -> None:
    """Assert that the catalogue of each language that the plugin declares is complete, compiled and up to date.

    A catalogue that is shipped for a language that is not declared is a fault too: nobody would notice its gaps.
    """
    config = plugin.plugin.config
    package = Path(apps.get_app_config(plugin.slug).path)
    faults = [
        f"{language}: shipped, and not among the languages of {config.__name__}"
        for language in languages_shipped(package)
        if language not in config.languages
    ]
    for language in config.languages:
        faults += catalogue_faults(package, language)
    require_none(f"{plugin.slug} is not translated", faults)


def check_personal_data(config: AppConfig) -> None:
    """Assert that each column that suggests personal data is declared to hold some, or not to."""
    faults = [
        fault
        for model in config.get_models()
        if not is_history(model)
        for fault in faults_of(model)
    ]
    require_none(
        "Name these in personal_fields or in not_personal_fields of their model, or correct the name",
        faults,
    )


def check_settings_documented(settings_class: type[Any] | None) -> None:
    """Assert that each setting has a sentence: a docstring below it, or a description."""
    if settings_class is None:
        return
    meanings = meanings_of(settings_class)
    silent = [
        f"{settings_class.__name__}.{name}" for name, meaning in meanings.items() if not meaning
    ]
    require_none("No docstring says what these settings mean", silent)


def check_flags(plugin: PluginSubject, today: dt.date | None = None) -> None:
    """Assert that no feature flag of the plugin is past the day on which it has to be gone; ``today`` in UTC."""
    today = today or dt.datetime.now(dt.UTC).date()
    found: Iterable[Flag] = installed().of_plugin(plugin.slug, "flags")
    late = [
        f"{one.name} ({one.expires_on}, {one.owner})" for one in found if one.expires_on < today
    ]
    require_none("These flags have expired; remove them, or give them another day", late)


def check_events(plugin: PluginSubject) -> None:
    """Assert that each event says itself what has happened and has a payload of plain data, and each subscriber what it does.

    An event whose docstring is inherited says what a family of events has in common, which is not what has happened.
    """
    registry = installed()
    faults = []
    for event in registry.of_plugin(plugin.slug, "events"):
        faults += [f"{event.name} {fault}" for fault in faults_of_event(event)]
        if not vars(event).get("__doc__"):
            faults.append(f"{event.name} has no docstring of its own")
    for one in registry.of_plugin(plugin.slug, "subscriptions"):
        if not (getattr(one.run, "__doc__", None) or "").strip():
            faults.append(f"{one.name}: its function has no docstring")
    require_none("These events or subscriptions do not say enough", faults)


def require_none(what: str, faults: list[str]) -> None:
    """Raise AssertionError that tells all ``faults``, when there are any."""
    if faults:
        raise AssertionError(f"{what}:\n" + "\n".join(faults))
