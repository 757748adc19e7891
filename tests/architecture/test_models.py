"""The rules that every model of every plugin keeps; string foreign keys escape the import linter, so they are walked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings
from django.db import models

from platform_core.models import BaseModel
from platform_core.models.checks import check_models
from platform_core.plugin import PluginConfig

PLUGINS = {
    config.label: config for config in apps.get_app_configs() if isinstance(config, PluginConfig)
}


def plugin_models() -> list[type[models.Model]]:
    return [model for label in sorted(PLUGINS) for model in apps.get_app_config(label).get_models()]


def foreign_keys(model: type[models.Model]) -> Iterator[Any]:
    for field in model._meta.get_fields(include_parents=False):
        if field.is_relation and field.concrete and not isinstance(field.related_model, str):
            yield field


def required(slug: str) -> set[str]:
    found: set[str] = set()
    waiting = [slug]
    plugins = {plugin.slug: plugin for plugin in settings.PLATFORM.resolution.plugins}
    while waiting:
        for name in plugins[waiting.pop()].requires:
            if name not in found:
                found.add(name)
                waiting.append(name)
    return found


def test_every_model_passes_the_core_checks() -> None:
    assert check_models(app_configs=None) == []


@pytest.mark.parametrize("model", plugin_models(), ids=lambda model: model._meta.label)
def test_a_model_refers_only_to_its_own_and_required_plugins(model: type[models.Model]) -> None:
    own = model._meta.app_label
    targets = {field.related_model._meta.app_label for field in foreign_keys(model)}

    assert targets & set(PLUGINS) <= {own} | required(own)


@pytest.mark.parametrize("model", plugin_models(), ids=lambda model: model._meta.label)
def test_only_the_user_plugin_refers_to_users(model: type[models.Model]) -> None:
    owner = settings.AUTH_USER_MODEL.partition(".")[0]
    to_users = [
        field
        for field in foreign_keys(model)
        if field.related_model._meta.label == settings.AUTH_USER_MODEL
    ]

    assert model._meta.app_label == owner or to_users == []


@pytest.mark.parametrize(
    "model",
    [model for model in plugin_models() if issubclass(model, BaseModel)],
    ids=lambda model: model._meta.label,
)
def test_history_holds_no_secret_and_no_key_to_the_user(model: Any) -> None:
    history = model.history.model
    names = {field.name for field in history._meta.get_fields()}

    assert names.isdisjoint({"password", "last_login", "history_user"})
    assert {"actor_id", "actor_kind", "request_id"} <= names
    assert isinstance(history._meta.pk, models.BigAutoField)


def test_every_model_of_a_plugin_is_covered() -> None:
    assert {"identity", "education"} <= set(PLUGINS)
    assert len(plugin_models()) > 20
