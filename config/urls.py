"""URLs of the reference deployment: those of the core and its plugins."""

from platform_core.urls import handler400, handler403, handler404, handler500, urlpatterns

__all__ = ["handler400", "handler403", "handler404", "handler500", "urlpatterns"]
