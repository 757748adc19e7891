"""Where operations are mounted: beside the plugins, whose slugs cannot be ``operations``."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver

from platform_core.operations.answers import FILE_ROUTE
from platform_core.operations.resources import OperationResource
from platform_core.resource import build_plugin_urls
from platform_core.tasks.catalogue import CORE


def operation_urls() -> list[URLPattern | URLResolver]:
    """Return the patterns to include below ``/api/v1/``."""
    return build_plugin_urls(CORE, [OperationResource], [FILE_ROUTE])
