"""The OpenAPI document tells of every sign-in route that is open, of none that is closed, and of ``me`` as it answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.urls import URLPattern, get_resolver
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from platform_core.resource import not_found
from platform_core.resource.openapi.generator import PlatformSchemaGenerator
from platform_identity.adapters.openapi import describe_sign_in
from platform_identity.testing import auth_header, grant, make_role, make_unit, make_user

ROOT = "/api/v1/identity/auth/"
CLOSED = (
    "account/email",
    "account/phone",
    "auth/code/confirm",
    "auth/email/verify",
    "auth/email/verify/resend",
    "auth/phone/verify",
    "auth/phone/verify/resend",
)


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """Return the deployment's document."""
    found: dict[str, Any] = PlatformSchemaGenerator().get_schema(public=True)  # type: ignore[no-untyped-call]
    return found


def mounted(patterns: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the paths and views below ``patterns``."""
    for pattern in patterns:
        where = prefix + str(pattern.pattern)
        if isinstance(pattern, URLPattern):
            yield where, pattern.callback
        else:
            yield from mounted(pattern.url_patterns, where)


def open_paths() -> set[str]:
    """Return the paths that the plugin mounts for either client, as the document has them."""
    found = {
        path
        for path, view in mounted(get_resolver("platform_identity.auth_urls").url_patterns)
        if view is not not_found
    }
    found = {path.removeprefix("^/") for path in found}
    both = {path.partition("/")[2] for path in found}
    as_told = set()
    for rest in both - {f"v1/{one}" for one in CLOSED}:
        clients = [client for client in settings.HEADLESS_CLIENTS if f"{client}/{rest}" in found]
        as_told.add(f"{'{client}' if len(clients) == 2 else clients[0]}/{rest}")
    return as_told


def test_the_document_is_valid(document: dict[str, Any]) -> None:
    validate(document)


def test_exactly_the_open_sign_in_routes_are_described(document: dict[str, Any]) -> None:
    described = {path.removeprefix(ROOT) for path in document["paths"] if path.startswith(ROOT)}

    assert described == open_paths()
    assert {"{client}/v1/auth/login", "app/v1/tokens/refresh"} <= described


@pytest.mark.parametrize("path", CLOSED)
@pytest.mark.parametrize("client_name", settings.HEADLESS_CLIENTS)
def test_closed_routes_are_neither_served_nor_described(
    client: Client, document: dict[str, Any], client_name: str, path: str
) -> None:
    assert client.get(f"{ROOT}{client_name}/v1/{path}").status_code == 404
    assert f"{ROOT}{{client}}/v1/{path}" not in document["paths"]
    assert f"{ROOT}{client_name}/v1/{path}" not in document["paths"]


def test_every_described_sign_in_operation_is_served(
    client: Client, document: dict[str, Any]
) -> None:
    for path, item in document["paths"].items():
        if not path.startswith(ROOT):
            continue
        for method in item:
            for name in settings.HEADLESS_CLIENTS if "{client}" in path else [""]:
                answer = client.generic(
                    method.upper(),
                    path.replace("{client}", name),
                    b"{}",
                    content_type="application/json",
                )
                assert answer.status_code not in (404, 405), (method, path, name)


@pytest.mark.parametrize("method", ["TRACE", "PUT", "DELETE"])
def test_another_method_is_refused_before_its_body(client: Client, method: str) -> None:
    answer = client.generic(method, f"{ROOT}app/v1/auth/login", b"{}", "application/json")

    assert (answer.status_code, answer["Allow"]) == (405, "POST, OPTIONS")


def test_a_client_that_there_is_not_is_told_as_described(
    client: Client, document: dict[str, Any]
) -> None:
    described = document["paths"][f"{ROOT}{{client}}/v1/auth/login"]["post"]["responses"]["404"]
    answer = client.post(f"{ROOT}other/v1/auth/login", {}, "application/json")

    assert (answer.status_code, answer["Content-Type"]) == (404, *described["content"])


def test_the_client_is_chosen_in_the_path_only_where_both_are_served(
    document: dict[str, Any],
) -> None:
    chosen = {"$ref": "#/components/parameters/IdentityAuthClient"}
    login = document["paths"][f"{ROOT}{{client}}/v1/auth/login"]["post"]
    refresh = document["paths"][f"{ROOT}app/v1/tokens/refresh"]["post"]

    assert login["parameters"] == [chosen]
    assert refresh["parameters"] == []
    clients = document["components"]["parameters"]["IdentityAuthClient"]["schema"]["enum"]
    assert set(clients) == set(settings.HEADLESS_CLIENTS)


def test_the_ways_to_sign_in_are_those_that_count(document: dict[str, Any]) -> None:
    paths = document["paths"]
    ours: list[dict[str, Any]] = [{"bearer": []}, {"session": []}]
    token: dict[str, Any] = {"IdentityAuthSessionToken": []}

    assert paths[f"{ROOT}{{client}}/v1/auth/login"]["post"]["security"] == [*ours, {}]
    status = paths[f"{ROOT}{{client}}/v1/auth/session"]["get"]
    assert status["security"] == [*ours, token, {}]
    change = paths[f"{ROOT}{{client}}/v1/account/password/change"]["post"]
    assert change["security"] == [*ours, token]
    scheme = document["components"]["securitySchemes"]["IdentityAuthSessionToken"]
    assert scheme == {"type": "apiKey", "in": "header", "name": "X-Session-Token"}


def test_only_the_address_is_a_name_to_sign_in_by(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]

    options = schemas["IdentityAuthLogin"]["allOf"][1]["anyOf"]
    assert [one["required"] for one in options] == [["email"]]
    assert list(schemas["IdentityAuthBaseSignup"]["properties"]) == ["email"]


def test_nothing_of_openapi_3_0_alone_is_left() -> None:
    def keys(node: Any) -> Iterator[str]:
        if isinstance(node, dict):
            yield from node
        inner = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
        for one in inner:
            yield from keys(one)

    assert "nullable" not in set(keys(describe_sign_in()))


def test_answers_at_sign_in_fit_their_schemas(client: Client, document: dict[str, Any]) -> None:
    user = make_user(password="a long enough phrase")
    known = {"email": user.email, "password": "a long enough phrase"}
    login = f"{ROOT}app/v1/auth/login"
    for body, status, name in (
        (known, 200, "AuthenticatedResponse"),
        ({**known, "password": "wrong"}, 400, "ErrorResponse"),
    ):
        answer = client.post(login, body, content_type="application/json")
        assert answer.status_code == status
        schema = {
            "$ref": f"#/components/schemas/IdentityAuth{name}",
            "components": document["components"],
        }
        Draft202012Validator(schema).validate(answer.json())


def test_the_profile_fits_its_schema(client: Client, document: dict[str, Any]) -> None:
    user = make_user()
    grant(user, make_role("identity.view_orgunit"), make_unit())
    described = document["paths"]["/api/v1/identity/me/"]
    answer = client.get("/api/v1/identity/me/", headers=auth_header(user))

    assert set(described) == {"get", "patch"}
    assert described["get"]["operationId"] == "identity_me_get"
    assert described["get"]["security"] == [{"bearer": []}, {"session": []}]
    schema = described["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    whole = {**schema, "components": document["components"]}
    Draft202012Validator(whole).validate(answer.json())
    assert set(answer.json()) == set(
        document["components"]["schemas"]["IdentityMeProfile"]["properties"]
    )
