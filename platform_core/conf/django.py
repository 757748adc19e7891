"""Build Django's settings from a deployment: the plugins decide what is installed."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

from django.conf import settings

from platform_core.conf import base
from platform_core.conf.database import database_settings
from platform_core.conf.deployment import CoreSettings, Deployment, find_deployment
from platform_core.conf.runtime import CORE, editable_names, overrides
from platform_core.conf.secrets import kept_secret, required_secret
from platform_core.conf.settings import (
    PluginSettings,
    SettingsFailure,
    load_settings,
    read_variable,
)
from platform_core.observability.interpreter import clean_warnings
from platform_core.plugin import Middleware
from platform_core.registry import quarantine
from platform_core.registry.discovery import Candidates, discover
from platform_core.registry.holding import Standings
from platform_core.registry.lists import Lists
from platform_core.registry.problems import PluginErrors, PluginProblem
from platform_core.registry.resolution import Plugin, Resolution, resolve
from platform_core.registry.selection import RESERVED_SLUGS
from platform_core.registry.settings_report import may_be_secret
from platform_core.registry.steps import limit_steps, loading
from platform_core.registry.trial import try_boot
from platform_core.registry.verdict import (
    fingerprint,
    keep_verdict,
    kept_verdict,
    one_at_a_time,
)

Profile = Literal["dev", "test", "prod"]
S = TypeVar("S", bound=PluginSettings)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformState:
    """What ``settings.PLATFORM`` holds: the deployment, its plugins in load order, and their typed settings."""

    deployment: Deployment
    resolution: Resolution
    candidates: Candidates
    profile: Profile
    plugin_settings: Mapping[str, PluginSettings] = field(default_factory=dict, repr=False)


def settings_of(cls: type[S]) -> S:
    """Return this deployment's validated settings of type ``cls``, with what was changed at run time.

    Raises LookupError when no plugin declares them, and TypeError for what is no class of settings, such as a slug.
    """
    if not isinstance(cls, type):
        raise TypeError(
            f"settings_of takes the class that the plugin names as settings_class, not {cls!r}: "
            "settings_of(LibrarySettings)."
        )
    for slug, value in settings.PLATFORM.plugin_settings.items():
        if isinstance(value, cls):
            return overrides().applied(slug, value)
    raise LookupError(f"No loaded plugin declares {cls.__module__}.{cls.__qualname__}.")


def core_settings() -> CoreSettings:
    """Return the core's own settings, with what was changed at run time."""
    core: CoreSettings = settings.PLATFORM.deployment.core
    return overrides().applied(CORE, core)


def build_settings(
    folder: Path, *, profile: Profile, environ: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Return Django's settings for the deployment in ``folder``.

    ``prod`` asks for every secret; ``dev`` and ``test`` keep generated ones in the data folder and serve plain HTTP
    on loopback. Raises PluginErrors with all problems of all plugins at once; with ``on_plugin_error = "quarantine"`` only
    where the rest cannot start without those plugins.
    """
    clean_warnings()
    _refuse_unknown(profile)
    environ = os.environ if environ is None else environ
    deployment = find_deployment(folder, environ=environ)
    candidates = discover()

    def attempt(held: Standings) -> _Draft:
        return _draft(deployment, candidates, profile, environ, held)

    imposed = quarantine.imposed()
    core = deployment.core
    limit_steps(core.plugin_step_timeout)
    if imposed is not None or (core.on_plugin_error == "fail" and not core.safe_mode):
        draft = attempt(imposed or {})
    else:
        draft = _settle(deployment, candidates, profile, environ, attempt)
    if draft.problems:
        raise PluginErrors(draft.problems)
    return draft.values | {
        "PLATFORM": PlatformState(
            deployment=deployment,
            resolution=draft.resolution,
            candidates=candidates,
            profile=profile,
            plugin_settings=draft.plugin_settings,
        )
    }


def _refuse_unknown(profile: str) -> None:
    """Raise PluginErrors for a profile that there is none of: it would start as in development."""
    if profile not in get_args(Profile):
        problem = PluginProblem(
            plugin="",
            code="profile_unknown",
            place="PLATFORM_PROFILE, or build_settings() in the settings module",
            message=f'There is no profile "{profile}".',
            way_out=f"Choose one of {', '.join(get_args(Profile))}; production is prod.",
        )
        raise PluginErrors([problem])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Draft:
    """Settings as they would be, with everything that is wrong with them."""

    resolution: Resolution
    problems: Sequence[PluginProblem]
    values: dict[str, Any]
    plugin_settings: dict[str, PluginSettings]


def _draft(
    deployment: Deployment,
    candidates: Candidates,
    profile: Profile,
    environ: Mapping[str, str],
    held: Standings,
) -> _Draft:
    core = deployment.core
    installed_labels = frozenset(app.rpartition(".")[2] for app in base.INSTALLED_APPS)
    resolution = resolve(
        core.plugins,
        core.dormant_plugins,
        candidates,
        reserved=RESERVED_SLUGS | installed_labels,
        held=held,
        safe_mode=core.safe_mode,
    )
    problems = list(resolution.problems)
    plugin_settings = _plugin_settings(deployment, resolution, environ, problems)
    values: dict[str, Any] = {}
    try:
        redis_url = read_variable("REDIS_URL", environ) or None
        values |= base.base_settings(deployment, profile=profile, redis_url=redis_url)
        values["SECRET_KEY"] = _secret_key(deployment, profile, environ)
        values["DATABASES"] = {
            "default": database_settings(
                deployment.data_dir,
                environ,
                pool_size=None if profile == "test" else core.database_pool_size,
                prepares=core.database_prepared_statements,
            )
        }
    except PluginErrors as errors:
        problems += errors.problems
    _add_plugins(values, resolution, problems)
    return _Draft(
        resolution=resolution, problems=problems, values=values, plugin_settings=plugin_settings
    )


def _settle(
    deployment: Deployment,
    candidates: Candidates,
    profile: Profile,
    environ: Mapping[str, str],
    attempt: Callable[[Standings], _Draft],
) -> _Draft:
    """Hold broken plugins back: by what was found when the set was booted elsewhere, and by what settings show now."""
    core = deployment.core
    lists = Lists(plugins=tuple(core.plugins), dormant=tuple(core.dormant_plugins))
    try:
        secret = _secret_key(deployment, profile, environ)
    except PluginErrors:  # it does not start; everything else that is wrong is told along with it
        return attempt({})
    key = fingerprint(
        lists,
        candidates,
        environ=environ,
        context=[deployment.plugin_sections, core.safe_mode],
        secret=secret,
    )
    with one_at_a_time(deployment.data_dir):
        kept = kept_verdict(deployment.data_dir, key)
        cases = quarantine.Cases(kept)
        draft = None if kept is None else quarantine.settle(attempt, cases)
        if draft is None or cases.found != kept:
            draft = quarantine.settle_by_probes(
                attempt,
                cases,
                frozenset([*lists.plugins, *lists.dormant]),
                lambda held: try_boot(lists, held, environ),
            )
            keep_verdict(deployment.data_dir, key, lists, cases.found)
    return replace(draft, resolution=cases.told(draft.resolution))


def _secret_key(deployment: Deployment, profile: Profile, environ: Mapping[str, str]) -> str:
    if profile == "prod":
        return required_secret("SECRET_KEY", environ)
    return kept_secret("SECRET_KEY", environ, deployment.data_dir / "secret_key")


def _plugin_settings(
    deployment: Deployment,
    resolution: Resolution,
    environ: Mapping[str, str],
    problems: list[PluginProblem],
) -> dict[str, PluginSettings]:
    loaded: dict[str, PluginSettings] = {}
    for plugin in resolution.with_state("enabled"):
        if plugin.config.settings_class is None:
            continue
        problems += _editable_secrets(plugin, plugin.config.settings_class)
        try:
            with loading(plugin.slug, "settings"):
                loaded[plugin.slug] = load_settings(
                    plugin.config.settings_class,
                    f"PLUGIN_{plugin.slug.upper()}_",
                    section=deployment.plugin_sections.get(plugin.slug, {}),
                    environ=environ,
                    owner=plugin.slug,
                )
        except SettingsFailure as failure:
            problems += failure.problems
    return loaded


def _editable_secrets(plugin: Plugin, cls: type[PluginSettings]) -> list[PluginProblem]:
    return [
        PluginProblem(
            plugin=plugin.slug,
            code="setting_secret_editable",
            place=f"{cls.__module__}.{cls.__qualname__}.{name}",
            message="It may be a secret, by its type or its name, and is marked Editable.",
            way_out="Take the mark away: values that are changed at run time are stored and shown in the clear.",
        )
        for name in sorted(editable_names(cls))
        if may_be_secret(cls, name)
    ]


def _add_plugins(
    values: dict[str, Any], resolution: Resolution, problems: list[PluginProblem]
) -> None:
    """Add apps of all plugins, and of the enabled ones middleware, backends, settings and the user model."""
    enabled = resolution.with_state("enabled")
    apps = list(values.get("INSTALLED_APPS", ()))
    for plugin in resolution.plugins:
        apps += [app for app in (*plugin.config.django_apps, plugin.app) if app not in apps]
    values["INSTALLED_APPS"] = apps
    dormant = [plugin for plugin in resolution.plugins if not plugin.enabled]
    shared = {*base.INSTALLED_APPS, *_collected(enabled, "django_apps")}
    values["PLATFORM_DORMANT_LABELS"] = frozenset(plugin.slug for plugin in dormant)
    values["PLATFORM_DORMANT_APPS"] = frozenset(_collected(dormant, "django_apps")) - shared
    values["PLATFORM_ENABLED_SLUGS"] = frozenset(plugin.slug for plugin in enabled)
    middleware = list(values.get("MIDDLEWARE", ()))
    for plugin in enabled:
        for item in plugin.config.middleware:
            _place(middleware, item, plugin, problems)
    values["MIDDLEWARE"] = middleware
    values["AUTHENTICATION_BACKENDS"] = _collected(enabled, "authentication_backends")
    values["REST_FRAMEWORK"] = base.rest_framework(_collected(enabled, "api_authentication"))
    for plugin in enabled:
        if plugin.config.auth_user_model:
            values["AUTH_USER_MODEL"] = plugin.config.auth_user_model
    owners: dict[str, str] = dict.fromkeys(values, "the core")
    for plugin in enabled:
        for name, value in plugin.config.django_settings.items():
            if name in owners:
                problems.append(
                    PluginProblem(
                        plugin=plugin.slug,
                        code="setting_conflict",
                        place=f"{plugin.config.__module__}, django_settings",
                        message=f"It sets {name}, which {owners[name]} sets already.",
                        way_out="Only one owner may set a Django setting; enable one of the two.",
                    )
                )
                continue
            owners[name] = plugin.slug
            values[name] = value


def _collected(plugins: Sequence[Plugin], attribute: str) -> list[str]:
    return [item for plugin in plugins for item in getattr(plugin.config, attribute)]


def _place(
    middleware: list[str], item: Middleware, plugin: Plugin, problems: list[PluginProblem]
) -> None:
    anchor = item.before or item.after
    if anchor is None:
        middleware.append(item.path)
    elif anchor in middleware:
        middleware.insert(middleware.index(anchor) + (0 if item.before else 1), item.path)
    else:
        problems.append(
            PluginProblem(
                plugin=plugin.slug,
                code="middleware_anchor_missing",
                place=f"{plugin.config.__module__}, middleware",
                message=f"{item.path} is to stand next to {anchor}, which is not installed.",
                way_out="Name an anchor that the core or a required plugin installs.",
            )
        )
