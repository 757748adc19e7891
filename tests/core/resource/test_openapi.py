"""The OpenAPI document is valid, complete and true; its page obeys a strict policy."""

from __future__ import annotations

from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from tests.core.resource.conftest import Library
from tests.core.resource.testapp.models import Member, Sample

pytestmark = pytest.mark.django_db

ROOT = "/api/v1/resource_testapp/"


@pytest.fixture
def document(anonymous: Any) -> dict[str, Any]:
    """Return the served document."""
    response = anonymous.call("GET", "/api/openapi.json")
    assert response.status_code == 200
    found: dict[str, Any] = response.json()
    return found


def test_the_document_is_valid(document: dict[str, Any]) -> None:
    assert document["openapi"] == "3.1.1"
    validate(document)


def test_every_operation_has_an_id_a_tag_and_its_refusals(document: dict[str, Any]) -> None:
    ids = []
    for path, methods in document["paths"].items():
        assert path.startswith(ROOT)
        for one in methods.values():
            ids.append(one["operationId"])
            assert one["tags"] == ["resource_testapp"]
            for status in ("401", "403", "500", "503"):
                assert "application/problem+json" in one["responses"][status]["content"]
    assert len(ids) == len(set(ids))
    assert {
        "resource_testapp_books_list",
        "resource_testapp_books_partial_update",
        "resource_testapp_books_history",
        "resource_testapp_books_restore",
        "resource_testapp_books_take_back",
    } <= set(ids)


def test_the_list_parameters_are_those_that_are_accepted(document: dict[str, Any]) -> None:
    found = document["paths"][f"{ROOT}books/"]["get"]["parameters"]
    names = {one["name"] for one in found}
    assert {"limit", "cursor", "ordering", "search", "grade", "grade__in", "shelf__name"} <= names
    assert "secret" not in names
    grade = next(one for one in found if one["name"] == "grade")
    assert grade["schema"]["items"]["enum"] == ["a", "b", "c"]


def test_answers_fit_their_schemas(
    librarian: Any, library: Library, document: dict[str, Any]
) -> None:
    book = library.book()
    Sample.objects.create(branch=library.north)
    for path, concrete in (
        ("books/", "books/"),
        ("books/{id}/", f"books/{book.pk}/"),
        ("books/{id}/history/", f"books/{book.pk}/history/"),
        ("samples/", "samples/"),
    ):
        responses = document["paths"][ROOT + path]["get"]["responses"]
        schema = responses["200"]["content"]["application/json"]["schema"]
        whole = {**schema, "components": document["components"]}
        Draft202012Validator(whole).validate(librarian.call("GET", concrete).json())


def test_a_field_that_not_everybody_reads_may_be_absent(
    client_of: Any, library: Library, document: dict[str, Any]
) -> None:
    Member.objects.create(branch=library.north, name="Ada", card="1")
    operation = document["paths"][f"{ROOT}members/"]["get"]
    shown = operation["responses"]["200"]["content"]["application/json"]["schema"]
    schema = {**shown, "components": document["components"]}
    for rights in (("view_member",), ("view_member", "view_card", "view_birth_date")):
        page = client_of(*rights).call("GET", "members/").json()
        Draft202012Validator(schema).validate(page)
        assert ("card" in page["data"][0]) == ("view_card" in rights)
    schemas = document["components"]["schemas"]
    answer, body = (schemas[f"ResourceTestapp{one}"] for one in ("Member", "MemberRequest"))
    assert "card" not in answer["required"]
    assert "card" not in body["required"]
    assert {"name", "branch"} <= set(answer["required"])
    for name, permission in (("birth_date", "view_birth_date"), ("note", "view_note")):
        told = answer["properties"][name]["description"]
        assert told.startswith("Absent where the caller may not read it; that needs")
        assert permission in told
    assert "description" not in answer["properties"]["fees"]
    assert "change_fees" in body["properties"]["fees"]["description"]
    told = {one["name"]: one.get("description", "") for one in operation["parameters"]}
    assert "Unknown to whoever may not read" in told["birth_date__gte"]
    assert "Unknown" not in told["fees__gte"]
    visits = document["paths"][f"{ROOT}visits/"]["get"]["parameters"]
    told = {one["name"]: one.get("description", "") for one in visits}
    assert "Unknown to whoever may not read" in told["member__birth_date"]
    assert "Unknown" not in told["member__name"]


def test_problems_fit_their_schema(librarian: Any, document: dict[str, Any]) -> None:
    schema = {"$ref": "#/components/schemas/Problem", "components": document["components"]}
    for path in ("books/?x=1", "nowhere/"):
        Draft202012Validator(schema).validate(librarian.call("GET", path).json())
    Draft202012Validator(schema).validate(librarian.call("POST", "books/", {"x": 1}).json())


def test_the_page_runs_under_a_policy_without_inline_scripts(anonymous: Any) -> None:
    page = anonymous.call("GET", "/api/docs/")
    text = page.content.decode()
    assert "default-src 'self'" in page["Content-Security-Policy"]
    assert "unsafe" not in page["Content-Security-Policy"]
    assert "<style" not in text
    assert text.count("<script") == text.count("<script src=")
    assert "//" not in text
    script = anonymous.call("GET", "/api/docs/setup.js")
    assert script["Content-Type"].startswith("text/javascript")
    assert "SwaggerUIBundle" in script.content.decode()


@pytest.mark.parametrize("path", ["/api/openapi.json", "/api/docs/"])
def test_the_documentation_is_only_read(anonymous: Any, path: str) -> None:
    assert anonymous.call("POST", path).status_code == 405
