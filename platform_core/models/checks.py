"""Django system checks that keep every model within the rules that history and deletion rely on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from django.apps import AppConfig, apps
from django.core.checks import CheckMessage, Error
from django.db import models
from simple_history.models import HistoricalChanges

from platform_core.models.base import BaseModel
from platform_core.models.querysets import PlatformQuerySet
from platform_core.plugin import PluginConfig

FORBIDDEN_ACROSS_PLUGINS: dict[Any, str] = {models.PROTECT: "PROTECT", models.RESTRICT: "RESTRICT"}
RECORDED = (models.CASCADE, models.PROTECT, models.RESTRICT, models.SET_NULL, models.DO_NOTHING)


def check_models(
    app_configs: Sequence[AppConfig] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """Return the problems of all installed models, or of those of ``app_configs``."""
    if app_configs is None:
        found: Iterable[type[models.Model]] = apps.get_models(include_auto_created=True)
    else:
        found = [
            model
            for config in app_configs
            for model in config.get_models(include_auto_created=True)
        ]
    return [problem for model in found for problem in check_model(model)]


def check_model(model: type[models.Model]) -> list[CheckMessage]:
    """Return the problems of one model."""
    problems: list[CheckMessage] = []
    if issubclass(model, BaseModel):
        problems += _managers(model)
        problems += _inheritance(model)
        problems += _references(model)
    if issubclass(model, BaseModel) or _belongs_to_a_plugin(model):
        problems += _protection(model)
    return problems


def _managers(model: type[BaseModel]) -> Iterator[CheckMessage]:
    for attribute, use in (
        ("_base_manager", "SET_NULL, refresh and reverse relations"),
        ("_default_manager", "ordinary queries"),
    ):
        manager = getattr(model, attribute)
        if not isinstance(manager.get_queryset(), PlatformQuerySet):
            yield Error(
                f"The {attribute.strip('_').replace('_', ' ')} of {model._meta.label} does not use "
                f"PlatformQuerySet, so {use} would write without version and history.",
                hint="Write `class Meta(BaseModel.Meta):`, and build own managers with "
                "LiveObjects.from_queryset() over a subclass of PlatformQuerySet.",
                obj=model,
                id="platform_core.E001",
            )


def _inheritance(model: type[BaseModel]) -> Iterator[CheckMessage]:
    if model._meta.parents and not model._meta.proxy:
        yield Error(
            f"{model._meta.label} inherits the table of another model; a row in two tables has no one "
            "version and history.",
            hint="Inherit from an abstract model, or refer to the other with a OneToOneField.",
            obj=model,
            id="platform_core.E002",
        )


def _references(model: type[BaseModel]) -> Iterator[CheckMessage]:
    for field in model._meta.local_fields:
        if not isinstance(field, models.ForeignKey):
            continue
        on_delete = field.remote_field.on_delete
        if on_delete not in RECORDED and not getattr(on_delete, "lazy_sub_objs", False):
            yield Error(
                f"{model._meta.label}.{field.name}: this on_delete writes past the model's queryset, "
                "without version and history.",
                hint="Use SET_NULL, CASCADE or SET() with a plain value.",
                obj=field,
                id="platform_core.E003",
            )


def _protection(model: type[models.Model]) -> Iterator[CheckMessage]:
    if issubclass(model, HistoricalChanges):
        return
    for field in model._meta.local_fields:
        target = field.related_model
        if not isinstance(field, models.ForeignKey) or not isinstance(target, type):
            continue
        forbidden = FORBIDDEN_ACROSS_PLUGINS.get(field.remote_field.on_delete)
        if forbidden and target._meta.app_label != model._meta.app_label:
            yield Error(
                f"Plugin {model._meta.app_label!r}: {model._meta.label}.{field.name} has on_delete="
                f"{forbidden} towards {target._meta.label}; when the plugin is dormant it would still "
                "forbid deletions there.",
                hint="Use CASCADE or SET_NULL: soft deletion answers with the referrers all the same.",
                obj=field,
                id="platform_core.E004",
            )


def _belongs_to_a_plugin(model: type[models.Model]) -> bool:
    try:
        config = apps.get_app_config(model._meta.app_label)
    except LookupError:
        return False
    return isinstance(config, PluginConfig)
