"""Settings of the reference deployment (on loopback, with generated secrets)."""

from config.settings.base import deployment_settings

globals().update(deployment_settings("dev"))
