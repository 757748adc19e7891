"""Typed settings, secrets, and Django's settings made from a deployment; imports no models."""

from platform_core.conf.deployment import Deployment, find_deployment
from platform_core.conf.django import build_settings, core_settings, settings_of
from platform_core.conf.runtime import Editable
from platform_core.conf.settings import PluginSettings

__all__ = [
    "Deployment",
    "Editable",
    "PluginSettings",
    "build_settings",
    "core_settings",
    "find_deployment",
    "settings_of",
]
