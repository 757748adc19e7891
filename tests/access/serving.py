"""Some resources and routes served alone below education's address, to plant faults in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from django.test import override_settings
from django.urls import include, path, re_path
from django.views.decorators.csrf import csrf_exempt

from platform_core.contributions import Route
from platform_core.resource import Resource, build_plugin_urls, not_found
from tests.access.operations import document


@contextmanager
def served(*resources: type[Resource], routes: tuple[Route, ...] = ()) -> Iterator[dict[str, Any]]:
    """Serve these alone inside the block; yield the OpenAPI document of what is mounted then."""
    urls: Any = ModuleType("planted_urls")
    patterns = build_plugin_urls("education", list(resources), list(routes))
    urls.urlpatterns = [
        path("api/v1/education/", include((patterns, "education"))),
        re_path(r"^api/", csrf_exempt(not_found)),
    ]
    with override_settings(ROOT_URLCONF=urls):
        yield document()
