"""Settings of the reference deployment (in production: every secret has to be given)."""

from config.settings.base import deployment_settings

globals().update(deployment_settings("prod"))
