"""The URLs of a deployment, built from the frozen registry: what no plugin contributed does not exist."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path, re_path
from django.views.decorators.csrf import csrf_exempt

from platform_core.api_docs import documentation_urls
from platform_core.operations.urls import operation_urls
from platform_core.plugin import API_PREFIX
from platform_core.prefix_routing import PluginResolver
from platform_core.registry import installed
from platform_core.resource import (
    bad_request,
    forbidden,
    not_found,
    plugin_resolvers,
    server_error,
)
from platform_core.system import SLUG, core_resources, core_routes


def build_urls() -> list[URLPattern | URLResolver]:
    """Return the URL patterns of the core and of every enabled plugin, in load order."""
    registry = installed()
    plugins: dict[str, URLResolver] = {}
    for plugin in registry.plugins:
        if plugin.enabled:
            plugins |= plugin_resolvers(
                plugin.slug,
                registry.of_plugin(plugin.slug, "resources"),
                registry.of_plugin(plugin.slug, "routes"),
            )
    plugins |= plugin_resolvers(SLUG, core_resources(), core_routes())
    return [
        PluginResolver(plugins),
        path(API_PREFIX, include(operation_urls())),
        path("api/", include(documentation_urls())),
        re_path(r"^api/", csrf_exempt(not_found)),  # what is not there needs no token
    ]


urlpatterns = build_urls()
handler400 = bad_request
handler403 = forbidden
handler404 = not_found
handler500 = server_error
