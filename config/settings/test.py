"""Settings of the test run: the reference deployment, all first-party plugins and the tests' own models."""

from config.settings.base import deployment_settings

globals().update(deployment_settings("test"))

INSTALLED_APPS: list[str] = [
    *globals()["INSTALLED_APPS"],
    "tests.core.access.testapp",
    "tests.core.models.testapp",
    "tests.core.resource.testapp",
]
