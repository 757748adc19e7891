"""The app of the models that the core's models are tested with; it has no migrations on purpose."""

from django.apps import AppConfig


class ModelsTestConfig(AppConfig):
    """Loads the models below an explicit label."""

    name = "tests.core.models.testapp"
    label = "models_testapp"
    default_auto_field = "django.db.models.BigAutoField"
