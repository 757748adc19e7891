"""What a plugin says about itself: the ``PluginConfig`` that its entry point names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from django.apps import AppConfig

from platform_core.registry.problems import PluginProblem, import_problem
from platform_core.registry.steps import loading

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

    from platform_core.conf import PluginSettings

API_PREFIX = "api/v1/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Middleware:
    """A middleware that a plugin needs, placed ``before`` or ``after`` another one (dotted paths); else last."""

    path: str
    before: str | None = None
    after: str | None = None


class PluginConfig(AppConfig):
    """Base of every plugin's app configuration.

    Subclasses set ``name`` (the package), ``slug`` and ``title``; the app label is the slug. Name, version, authors,
    licence and dependencies are not repeated here: they come from the distribution's metadata.
    """

    slug: ClassVar[str]
    title: ClassVar[StrOrPromise]
    settings_class: ClassVar[type[PluginSettings] | None] = None
    """Typed settings, read from ``PLUGIN_<SLUG>_*``."""
    after: ClassVar[tuple[str, ...]] = ()
    """Slugs to load before this plugin when they are enabled; unlike a dependency they may be absent."""
    conflicts: ClassVar[tuple[str, ...]] = ()
    """Slugs that must not be enabled together with this plugin."""
    enabled_with: ClassVar[tuple[str, ...]] = ()
    """Slugs that a glue plugin joins: it is active only while all are enabled, and not loaded while one is absent."""
    hookspecs: ClassVar[str] = ""
    """Dotted path of a module of the plugin whose functions, marked ``@hookspec``, are hooks for other plugins."""
    languages: ClassVar[tuple[str, ...]] = ()
    """Languages beside English that the plugin is translated into; the contract suite holds it to them."""
    auth_user_model: ClassVar[str | None] = None
    """``app_label.ModelName`` when this plugin brings the user model; exactly one enabled plugin does."""
    django_apps: ClassVar[tuple[str, ...]] = ()
    """Further Django applications that the plugin needs installed."""
    middleware: ClassVar[tuple[Middleware, ...]] = ()
    authentication_backends: ClassVar[tuple[str, ...]] = ()
    api_authentication: ClassVar[tuple[str, ...]] = ()
    """Dotted paths of REST framework authentication classes, tried in order on every API request."""
    django_settings: ClassVar[Mapping[str, Any]] = {}
    """Django settings that the plugin sets; two owners of one setting are a conflict."""

    default_auto_field = "django.db.models.BigAutoField"

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "ready" in cls.__dict__:
            raise TypeError(
                f"{cls.__module__}.{cls.__qualname__} defines ready(), which is final: "
                "contribute through hooks.py, so that a dormant plugin does nothing."
            )
        if "slug" in cls.__dict__:
            cls.label = cls.slug

    import_problem: PluginProblem | None = None

    def import_models(self) -> None:
        """Import the models; a failure is kept for the core's report, so that it can name all plugins at once."""
        try:
            with loading(self.slug, "models"):
                super().import_models()
        except Exception as error:  # whatever a stranger's models raise, the report has to go on
            self.import_problem = import_problem(
                self.slug,
                "models_import_failed",
                error,
                package=self.name,
                module=f"{self.name}.models",
                way_out="Repair the plugin, or remove it from the lists while it has no tables.",
            )
