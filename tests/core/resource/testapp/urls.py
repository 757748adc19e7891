"""The URLs of the test application, as the core mounts a plugin."""

from typing import Any

from django.http import HttpRequest, JsonResponse
from django.urls import include, path

from platform_core.api_docs import documentation_urls
from platform_core.contributions import PUBLIC, SIGNED_IN, Route
from platform_core.resource import build_plugin_urls, not_found, server_error
from tests.core.resource.testapp.resources import RESOURCES, SLUG


def hello(request: Any) -> JsonResponse:
    """Answer who asks."""
    return JsonResponse({"kind": request.actor.kind})


def crash(request: HttpRequest) -> JsonResponse:
    """Fail."""
    raise RuntimeError("a secret detail")


ROUTES = (
    Route(path="hello/", name="hello", access=PUBLIC, view=hello),
    Route(path="signed-in/", name="signed-in", access=SIGNED_IN, view=hello),
    Route(path="report/", name="report", access="resource_testapp.read_report", view=hello),
    Route(
        path="flagged/", name="flagged", access=PUBLIC, view=hello, flag="resource_testapp.flagged"
    ),
    Route(path="crash/", name="crash", access=PUBLIC, view=crash),
)

urlpatterns = [
    path(f"api/v1/{SLUG}/", include((build_plugin_urls(SLUG, RESOURCES, ROUTES), SLUG))),
    path("api/", include(documentation_urls())),
    path("outside/crash/", crash),
]
handler404 = not_found
handler500 = server_error
