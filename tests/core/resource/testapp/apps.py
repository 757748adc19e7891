"""The app of the models that resources are tested with; it has no migrations on purpose."""

from django.apps import AppConfig


class ResourceTestConfig(AppConfig):
    """Loads the models below an explicit label."""

    name = "tests.core.resource.testapp"
    label = "resource_testapp"
    default_auto_field = "django.db.models.BigAutoField"
