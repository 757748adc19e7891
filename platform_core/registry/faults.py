"""Find out which plugin is to blame for an exception that stopped the boot, or for a name that cannot be imported."""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
import traceback
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.db import DatabaseError
from django.db.migrations.exceptions import NodeNotFoundError
from django.utils.module_loading import import_string

from platform_core.registry.problems import PluginProblem, database_unreachable, location_of
from platform_core.registry.resolution import Plugin
from platform_core.registry.steps import loading

IMPORTED_BY_PATH = ("authentication_backends", "api_authentication")


def boot_problem(error: BaseException) -> PluginProblem:
    """Return the problem behind ``error``, with the plugin in whose code or for whose sake it was raised."""
    if isinstance(error, DatabaseError):
        return database_unreachable(error)
    owner = _owner(error)
    return PluginProblem(
        plugin=owner.slug if owner else "",
        code="boot_failed",
        place=location_of(error, owner.config.name, owner.config.name) if owner else "",
        message=f"The start failed: {type(error).__name__}: {error}.",
        way_out="Repair what the message names, or leave the plugin that brings it out.",
    )


def unimportable() -> list[PluginProblem]:
    """Return a problem for each middleware, backend and authentication class of a plugin that cannot be imported.

    Django imports them with the first request, when it is too late for a report.
    """
    return [
        PluginProblem(
            plugin=plugin.slug,
            code="not_importable",
            place=f"{plugin.config.__module__}, {attribute}",
            message=f"{path} cannot be imported: {type(error).__name__}: {error}.",
            way_out="Correct the path, or install what it needs.",
        )
        for plugin in _plugins()
        if plugin.enabled
        for attribute, path in _paths(plugin)
        if (error := _failure(partial(_import_for, plugin.slug), path))
    ]


def import_migrations() -> None:
    """Import the migrations of one plugin after the other, as Django will; raises what one of them raises."""
    for plugin in _plugins():
        name = f"{plugin.config.name}.migrations"
        with loading(plugin.slug, "migrations"):
            if importlib.util.find_spec(name) is None:
                continue
            package = importlib.import_module(name)
            for one in pkgutil.iter_modules(getattr(package, "__path__", ())):
                if not one.ispkg and one.name[0] not in "_~":
                    importlib.import_module(f"{name}.{one.name}")


def _import_for(slug: str, path: str) -> Any:
    with loading(slug, "imports"):
        return import_string(path)


def _paths(plugin: Plugin) -> Iterator[tuple[str, str]]:
    yield from (("middleware", one.path) for one in plugin.config.middleware)
    for attribute in IMPORTED_BY_PATH:
        yield from ((attribute, path) for path in getattr(plugin.config, attribute))


def _plugins() -> Sequence[Plugin]:
    state = getattr(settings, "PLATFORM", None) if settings.configured else None
    return () if state is None else state.resolution.plugins


def _owner(error: BaseException) -> Plugin | None:
    """Return the plugin of the innermost frame, else the one whose migration or Django application is at fault."""
    plugins = _plugins()
    cause: BaseException | None = error
    while cause is not None:
        for frame in reversed(traceback.extract_tb(cause.__traceback__)):
            for plugin in plugins:
                folder = plugin.config.name.replace(".", "/")
                if f"/{folder}/" in frame.filename.replace("\\", "/"):
                    return plugin
        cause = cause.__cause__ or cause.__context__
    label = getattr(error.origin, "app_label", "") if isinstance(error, NodeNotFoundError) else ""
    for plugin in plugins:
        if plugin.slug == label:
            return plugin
        if any(_failure(AppConfig.create, app) for app in plugin.config.django_apps):
            return plugin
    return None


def _failure(load: Callable[[str], Any], path: str) -> Exception | None:
    try:
        load(path)
    except Exception as error:  # whatever a stranger's module raises, it is told
        return error
    return None
