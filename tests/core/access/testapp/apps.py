"""The app of the models that access is tested with; it has no migrations on purpose."""

from django.apps import AppConfig


class AccessTestConfig(AppConfig):
    """Loads the models below an explicit label."""

    name = "tests.core.access.testapp"
    label = "access_testapp"
    default_auto_field = "django.db.models.BigAutoField"
