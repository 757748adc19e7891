"""Template and static file look-up that leaves dormant plugins out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.apps import AppConfig, apps
from django.conf import settings
from django.contrib.staticfiles.finders import AppDirectoriesFinder
from django.template.loaders.filesystem import Loader


def _is_dormant(config: AppConfig) -> bool:
    """Tell whether a dormant plugin is or brings the application, and nobody else does."""
    kind = type(config)
    names = {config.name, f"{kind.__module__}.{kind.__qualname__}"}
    brought: frozenset[str] = settings.PLATFORM_DORMANT_APPS
    return config.label in settings.PLATFORM_DORMANT_LABELS or not names.isdisjoint(brought)


class EnabledTemplateLoader(Loader):
    """Find templates in the ``templates`` folder of every application that is not dormant."""

    def get_dirs(self) -> list[Any]:
        """Return the template folders in the order of the installed applications."""
        folders = (
            Path(config.path) / "templates"
            for config in apps.get_app_configs()
            if not _is_dormant(config)
        )
        return [folder for folder in folders if folder.is_dir()]


class EnabledStaticFinder(AppDirectoriesFinder):
    """Find static files in the ``static`` folder of every application that is not dormant."""

    def __init__(self, app_names: Any = None, *args: Any, **kwargs: Any) -> None:
        names = app_names or [config.name for config in _enabled_configs()]
        super().__init__(names, *args, **kwargs)


def _enabled_configs() -> Iterator[Any]:
    return (config for config in apps.get_app_configs() if not _is_dormant(config))
