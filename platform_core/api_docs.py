"""The pages about the API: the OpenAPI document, Swagger and ReDoc, offline and under a strict content security policy."""

from __future__ import annotations

import threading
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.contrib.staticfiles import finders
from django.http import HttpResponse
from django.templatetags.static import static
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.utils.translation import get_language, override
from django.utils.translation import gettext as _
from orjson import loads

from platform_core.resource.openapi.generator import PlatformSchemaGenerator
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

REDOC_POLICY = (
    SWAGGER_POLICY + "; style-src 'self' 'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=' "
    "'sha256-QMIg+bpjm3JdElJ388KYke01izlUW0UoNOeKjpMxdgc='"
)
"""ReDoc adds two style elements, an empty one that it fills by script and one of its parts: these, and no others.

The second is of the bundle as it is now; the browser test of the page says when an upgrade changes it.
"""

_DIST = "drf_spectacular_sidecar/swagger-ui-dist"
_ICON = f"{_DIST}/favicon-32x32.png"
_SETUP = """\
"use strict";
window.addEventListener("load", () => {
  const where = new URL("../openapi.json", document.baseURI);
  SwaggerUIBundle({ url: where.href, dom_id: "#swagger-ui", deepLinking: true, validatorUrl: null });
});
"""

_REDOC = "drf_spectacular_sidecar/redoc/bundles/redoc.standalone.js"
_REDOC_LOGO = b"https://cdn.redoc.ly/redoc/logo-mini.svg"
_REDOC_SETUP = """\
"use strict";
window.addEventListener("load", () => {
  const where = new URL("../openapi.json", document.baseURI);
  // Its search would run in a worker made of a blob, which the policy forbids.
  Redoc.init(where.href, { disableSearch: true, hideDownloadButton: false }, document.getElementById("redoc"));
});
"""


def _only_get(view: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    def checked(request: HttpRequest) -> HttpResponse:
        if request.method in ("GET", "HEAD"):
            return view(request)
        if request.method == "OPTIONS":
            return HttpResponse(status=204, headers={"Allow": "GET, HEAD, OPTIONS"})
        return problem(
            request,
            405,
            "method_not_allowed",
            _("Only GET is allowed here."),
            headers={"Allow": "GET, HEAD, OPTIONS"},
        )

    return checked


_writing = threading.Lock()
"""The library that writes documents loads parts of itself on the way, which two threads must not do at once."""


def document_in(language: str | None) -> bytes:
    """Return the encoded document; whoever asks while it is written waits, instead of writing another."""
    with _writing:
        return _document(language)


@cache
def _document(language: str | None) -> bytes:
    """Return the encoded document; the registry is frozen, so one per language and process is enough."""
    generator = PlatformSchemaGenerator()  # type: ignore[no-untyped-call]
    return dumps(generator.get_schema(request=None, public=True))


def described(language: str) -> Any:
    """Return the document in ``language`` as JSON values."""
    with override(language):
        return loads(document_in(language))


@_only_get
def openapi_json(request: HttpRequest) -> HttpResponse:
    """Answer the OpenAPI document of everything that is mounted."""
    return HttpResponse(document_in(get_language()), content_type=OPENAPI_JSON)


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
        static(_ICON),
        static(f"{_DIST}/swagger-ui.css"),
        static(f"{_DIST}/swagger-ui-bundle.js"),
    )
    return HttpResponse(page, headers={"Content-Security-Policy": SWAGGER_POLICY})


@_only_get
def swagger_setup(request: HttpRequest) -> HttpResponse:
    """Answer the script that starts Swagger on the document."""
    return HttpResponse(_SETUP, content_type="text/javascript; charset=utf-8")


@_only_get
def redoc(request: HttpRequest) -> HttpResponse:
    """Answer the ReDoc page; it holds no inline script."""
    page = format_html(
        '<!doctype html><html lang="{}"><head><meta charset="utf-8"><title>{}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<link rel="icon" href="{}"></head><body><div id="redoc"></div>'
        '<script src="redoc.js"></script><script src="setup.js"></script></body></html>',
        get_language() or "en",
        _("API documentation"),
        static(_ICON),
    )
    return HttpResponse(page, headers={"Content-Security-Policy": REDOC_POLICY})


@_only_get
def redoc_script(request: HttpRequest) -> HttpResponse:
    """Answer ReDoc itself, which may be kept: nothing in it depends on who asks."""
    return HttpResponse(
        _redoc_bundle(),
        content_type="text/javascript; charset=utf-8",
        headers={"Cache-Control": "public, max-age=3600"},
    )


@cache
def _redoc_bundle() -> bytes:
    """Return the script of the page without the picture that it would fetch from its maker's server."""
    place = finders.find(_REDOC)
    if place is None:
        raise FileNotFoundError(_REDOC)
    return Path(str(place)).read_bytes().replace(_REDOC_LOGO, static(_ICON).encode())


@_only_get
def redoc_setup(request: HttpRequest) -> HttpResponse:
    """Answer the script that starts ReDoc on the document."""
    return HttpResponse(_REDOC_SETUP, content_type="text/javascript; charset=utf-8")


def documentation_urls() -> list[URLPattern]:
    """Return the patterns to include below ``/api/``: ``openapi.json``, ``docs/``, ``redoc/`` and their scripts."""
    return [
        path("openapi.json", openapi_json, name="openapi"),
        path("docs/", swagger, name="docs"),
        path("docs/setup.js", swagger_setup, name="docs-setup"),
        path("redoc/", redoc, name="redoc"),
        path("redoc/redoc.js", redoc_script, name="redoc-script"),
        path("redoc/setup.js", redoc_setup, name="redoc-setup"),
    ]
