"""The pages about the API: the OpenAPI document and Swagger, offline and under a strict content security policy."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from django.http import HttpResponse
from django.templatetags.static import static
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from platform_core.resource.openapi import PlatformSchemaGenerator
from platform_core.resource.problems import problem
from platform_core.resource.rendering import dumps

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest

OPENAPI_JSON = "application/vnd.oai.openapi+json"
SWAGGER_POLICY = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)
"""Swagger draws its icons from data: addresses; scripts and styles are files of ours only."""

_DIST = "drf_spectacular_sidecar/swagger-ui-dist"
_SETUP = """\
"use strict";
window.addEventListener("load", () => {
  const where = new URL("../openapi.json", document.baseURI);
  SwaggerUIBundle({ url: where.href, dom_id: "#swagger-ui", deepLinking: true, validatorUrl: null });
});
"""


def _only_get(view: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    def checked(request: HttpRequest) -> HttpResponse:
        if request.method in ("GET", "HEAD"):
            return view(request)
        return problem(
            request,
            405,
            "method_not_allowed",
            _("Only GET is allowed here."),
            headers={"Allow": "GET, HEAD"},
        )

    return checked


@cache
def _document(language: str | None) -> bytes:
    """Return the encoded document; the registry is frozen, so one per language and process is enough."""
    generator = PlatformSchemaGenerator()  # type: ignore[no-untyped-call]
    return dumps(generator.get_schema(request=None, public=True))


@_only_get
def openapi_json(request: HttpRequest) -> HttpResponse:
    """Answer the OpenAPI document of everything that is mounted."""
    return HttpResponse(_document(get_language()), content_type=OPENAPI_JSON)


@_only_get
def swagger(request: HttpRequest) -> HttpResponse:
    """Answer the Swagger page; it holds no inline script or style."""
    page = format_html(
        '<!doctype html><html lang="{}"><head><meta charset="utf-8"><title>{}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<link rel="icon" href="{}"><link rel="stylesheet" href="{}"></head>'
        '<body><div id="swagger-ui"></div><script src="{}"></script>'
        '<script src="setup.js"></script></body></html>',
        get_language() or "en",
        _("API documentation"),
        static(f"{_DIST}/favicon-32x32.png"),
        static(f"{_DIST}/swagger-ui.css"),
        static(f"{_DIST}/swagger-ui-bundle.js"),
    )
    return HttpResponse(page, headers={"Content-Security-Policy": SWAGGER_POLICY})


@_only_get
def swagger_setup(request: HttpRequest) -> HttpResponse:
    """Answer the script that starts Swagger on the document."""
    return HttpResponse(_SETUP, content_type="text/javascript; charset=utf-8")


def documentation_urls() -> list[URLPattern]:
    """Return the patterns to include below ``/api/``: ``openapi.json``, ``docs/`` and its script."""
    return [
        path("openapi.json", openapi_json, name="openapi"),
        path("docs/", swagger, name="docs"),
        path("docs/setup.js", swagger_setup, name="docs-setup"),
    ]
