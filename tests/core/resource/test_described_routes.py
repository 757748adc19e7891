"""Routes that describe themselves are in the OpenAPI document, under names of their own, or refused."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.urls import include, path
from django.utils.translation import gettext_lazy
from openapi_spec_validator import validate

from platform_core.contributions import PUBLIC, SIGNED_IN, Route
from platform_core.resource import build_plugin_urls
from platform_core.resource.openapi.generator import PlatformSchemaGenerator
from tests.core.resource.testapp.resources import RESOURCES, SLUG

ROOT = f"/api/v1/{SLUG}/"
OK = {"200": {"description": "Done"}}


def view(request: HttpRequest) -> HttpResponse:
    """Answer nothing."""
    return HttpResponse()


@pytest.fixture
def included(monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the name of a urlconf with one view."""
    urls: Any = ModuleType("included_urls")
    urls.urlpatterns = [path("deep/er", view)]
    monkeypatch.setitem(sys.modules, "included_urls", urls)
    return "included_urls"


def described(fragment: Mapping[str, Any], name: str = "lamp-posts", **given: Any) -> Route:
    """Return a route that describes itself by ``fragment``."""
    fields = {"path": f"{name}/", "access": SIGNED_IN, "view": view, **given}
    return Route(name=name, describe=lambda: fragment, **fields)


def document_of(*routes: Route) -> dict[str, Any]:
    """Return the document of the library with ``routes``."""
    patterns = [path(ROOT[1:], include((build_plugin_urls(SLUG, RESOURCES, routes), SLUG)))]
    generator = PlatformSchemaGenerator(patterns=patterns)  # type: ignore[no-untyped-call]
    found: dict[str, Any] = generator.get_schema(public=True)
    return found


def lamps() -> dict[str, Any]:
    """Return a description with every kind of name that the core has to change."""
    answer = {"application/json": {"schema": {"$ref": "#/components/schemas/Lamp"}}}
    refusal = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    responses = {
        "200": {"description": gettext_lazy("The lamp"), "content": answer},
        "404": {"description": "None", "content": refusal},
    }
    return {
        "paths": {
            "": {"get": {"responses": responses, "tags": ["elsewhere"]}},
            "deep/er": {
                "put": {"responses": OK, "operationId": "dim", "security": [{"Key": []}, {}]}
            },
        },
        "components": {
            "schemas": {
                "Lamp": {
                    "type": "object",
                    "properties": {"next": {"$ref": "#/components/schemas/Lamp"}},
                }
            },
            "securitySchemes": {"Key": {"type": "apiKey", "in": "header", "name": "X-Key"}},
        },
    }


def test_a_route_is_described_under_names_of_its_own() -> None:
    document = document_of(described(lamps()))

    validate(document)
    read = document["paths"][f"{ROOT}lamp-posts/"]["get"]
    assert read["operationId"] == f"{SLUG}_lamp_posts_get"
    assert read["tags"] == [SLUG]
    lamp = "#/components/schemas/ResourceTestappLampPostsLamp"
    assert read["responses"]["200"]["content"]["application/json"]["schema"]["$ref"] == lamp
    assert read["responses"]["200"]["description"] == "The lamp"
    schemas = document["components"]["schemas"]
    assert schemas["ResourceTestappLampPostsLamp"]["properties"]["next"]["$ref"] == lamp
    assert "Lamp" not in schemas
    dim = document["paths"][f"{ROOT}lamp-posts/deep/er"]["put"]
    assert dim["operationId"] == f"{SLUG}_lamp_posts_dim"
    assert dim["security"] == [{"ResourceTestappLampPostsKey": []}, {}]


def test_two_routes_may_call_their_things_alike() -> None:
    document = document_of(described(lamps()), described(lamps(), name="torches"))

    validate(document)
    names = document["components"]["schemas"]
    assert {"ResourceTestappLampPostsLamp", "ResourceTestappTorchesLamp"} <= set(names)


def test_an_included_urlconf_is_described_where_it_is_mounted(included: str) -> None:
    fragment = {"paths": {"deep/er": {"get": {"responses": OK}}}}
    route = described(fragment, access=PUBLIC, view=None, urlconf=included)

    read = document_of(route)["paths"][f"{ROOT}lamp-posts/deep/er"]["get"]

    assert read["operationId"] == f"{SLUG}_lamp_posts_deep_er_get"


def test_parameters_of_the_route_are_written_as_openapi_does() -> None:
    parameter = {"in": "path", "name": "id", "required": True, "schema": {"type": "string"}}
    fragment = {"paths": {"": {"get": {"parameters": [parameter], "responses": OK}}}}

    document = document_of(described(fragment, path="lamps/<uuid:id>/"))

    validate(document)
    assert f"{ROOT}lamps/{{id}}/" in document["paths"]


@pytest.mark.parametrize(("access", "anyone"), [(SIGNED_IN, False), (PUBLIC, True)])
def test_an_operation_without_security_takes_every_way_to_sign_in(
    access: str, anyone: bool
) -> None:
    document = document_of(described({"paths": {"": {"get": {"responses": OK}}}}, access=access))

    security = document["paths"][f"{ROOT}lamp-posts/"]["get"]["security"]
    ways: list[dict[str, Any]] = [
        {name: []} for name in document["components"].get("securitySchemes", {})
    ]
    assert security == [*ways, {}] if anyone else security == ways


def one(operation: Any, **more: Any) -> dict[str, Any]:
    """Return a description of one operation."""
    return {"paths": {"": {"get": operation}}, **more}


REFUSED: dict[str, tuple[Any, str]] = {
    "no mapping": ([], "no mapping with paths"),
    "no paths": ({"components": {}}, "no mapping with paths"),
    "an unknown part": (one({"responses": OK}, tags=[]), "'tags'"),
    "an absolute path": ({"paths": {"/x": {}}}, "starts with a slash"),
    "no OpenAPI": (one({"responses": {"200": {}}}), r"no valid OpenAPI at paths.*description"),
    "an unknown reference": (
        one({"responses": {"200": {"$ref": "#/components/responses/Lost"}}}),
        "refers to #/components/responses/Lost",
    ),
    "a reference out of the document": (
        one({"responses": {"200": {"$ref": "other.yaml#/x"}}}),
        "refers to other.yaml",
    ),
    "an unknown security scheme": (
        one({"responses": OK, "security": [{"palm": []}]}),
        "security scheme 'palm'",
    ),
    "a value that is no JSON": (one({"responses": OK, "x-when": object()}), "JSON cannot say"),
    "a key that is no text": (one({"responses": {200: {}}}), "key that is no text"),
    "one operation twice": (
        {
            "paths": {
                "a": {"get": {"responses": OK, "operationId": "same"}},
                "b": {"get": {"responses": OK, "operationId": "same"}},
            }
        },
        f"{SLUG}_lamp_posts_same",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_wrong_description_is_refused_with_plugin_and_route(case: str) -> None:
    fragment, told = REFUSED[case]

    with pytest.raises(TypeError, match=f"^{SLUG}: .*'lamp-posts/' .*{told}"):
        document_of(described(fragment))


COLLISIONS: dict[str, Callable[[], Route]] = {
    "a path": lambda: described(one({"responses": OK}), path="books/", name="clash"),
    "an operation": lambda: described(
        one({"responses": OK, "operationId": "list"}), path="clash/", name="books"
    ),
    "a component": lambda: described(lamps(), path="clash/"),
}


@pytest.mark.parametrize("case", COLLISIONS)
def test_what_is_described_already_is_refused(case: str) -> None:
    routes = [described(lamps()), COLLISIONS[case]()]

    with pytest.raises(TypeError, match=f"^{SLUG}: .*(books|clash)/' .*(already|taken)"):
        document_of(*routes)


def test_a_route_without_description_is_not_in_the_document() -> None:
    route = Route(path="quiet/", name="quiet", access=SIGNED_IN, view=view)

    assert f"{ROOT}quiet/" not in document_of(route)["paths"]
