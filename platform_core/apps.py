"""The core's app configuration: it loads the plugins once all models are there."""

from __future__ import annotations

import structlog
from django.apps import AppConfig, apps
from django.conf import settings
from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.db.models.signals import post_migrate

from platform_core.plugin import PluginConfig

log = structlog.get_logger(__name__)


class CoreConfig(AppConfig):
    """First of the installed applications; its ``ready`` builds and freezes the registry."""

    name = "platform_core"
    label = "platform_core"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Load every plugin's contributions; raises PluginErrors with all problems at once."""
        from platform_core.access import install_permissions
        from platform_core.models.checks import check_models
        from platform_core.registry import contents
        from platform_core.registry.loading import load, permission_registry
        from platform_core.registry.problems import PluginErrors
        from platform_core.registry.synchronisation import after_migrate
        from platform_core.runtime_settings.reading import watch_settings

        state = getattr(settings, "PLATFORM", None)
        if state is None:
            raise ImproperlyConfigured(
                "The settings were not made by platform_core.conf.build_settings()."
            )
        failed = [
            config.import_problem
            for config in apps.get_app_configs()
            if isinstance(config, PluginConfig) and config.import_problem
        ]
        if failed:
            raise PluginErrors(failed)
        for held in state.resolution.held_back:
            log.warning("plugin held back", plugin=held.slug, state=held.state, reason=str(held))
        registry = load(state.resolution.plugins)
        install_permissions(permission_registry(registry))
        contents.install(registry)
        watch_settings()
        checks.register(check_models)
        post_migrate.disconnect(dispatch_uid="django.contrib.auth.management.create_permissions")
        post_migrate.connect(after_migrate, sender=self, dispatch_uid="platform_core.after_migrate")
