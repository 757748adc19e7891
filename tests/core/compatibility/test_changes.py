"""Each kind of change is told apart: what breaks a client, what is an addition, and what was due to go."""

from __future__ import annotations

import copy
import datetime
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from platform_core.cli.app import build_app
from platform_core.compatibility.documents import compare

TODAY = datetime.date(2026, 11, 25)
REF = {"$ref": "#/components/schemas/Book"}
BOOK: dict[str, Any] = {
    "type": "object",
    "properties": {
        "id": {"type": "string", "format": "uuid"},
        "title": {"type": "string"},
        "pages": {"type": ["integer", "null"]},
        "grade": {"type": "string", "enum": ["a", "b"]},
        "sequel": {"anyOf": [REF, {"type": "null"}]},
    },
    "required": ["id", "title"],
}
INPUT: dict[str, Any] = {
    "type": "object",
    "properties": {
        "title": {"type": "string", "maxLength": 100},
        "pages": {"type": ["integer", "null"], "minimum": 0},
        "grade": {"type": "string", "enum": ["a", "b"]},
        "tags": {"type": "array", "items": {"type": "string"}},
    },
    "required": ["title"],
}
PAGE = {
    "type": "object",
    "properties": {"data": {"type": "array", "items": REF}},
    "required": ["data"],
}
LIST = {
    "operationId": "list",
    "security": [{"bearer": []}, {}],
    "parameters": [
        {"in": "query", "name": "limit", "schema": {"type": "integer", "maximum": 200}},
        {"in": "query", "name": "grade", "schema": {"enum": ["a", "b"]}},
    ],
    "responses": {
        "200": {
            "description": "ok",
            "headers": {"ETag": {"schema": {"type": "string"}}},
            "content": {"application/json": {"schema": PAGE}},
        },
        "404": {"description": "gone"},
    },
}
BODY = {"schema": {"allOf": [{"$ref": "#/components/schemas/BookRequest"}]}}
CREATE = {
    "operationId": "create",
    "requestBody": {"content": {"application/json": BODY}},
    "responses": {"201": {"description": "ok"}},
}
RETRIEVE = {
    "operationId": "retrieve",
    "parameters": [{"in": "path", "name": "id", "required": True, "schema": {}}],
    "responses": {"200": {"description": "ok"}},
}
BOOKS, ONE = "/api/v1/x/books/", "/api/v1/x/books/{id}/"
OLD: dict[str, Any] = {
    "openapi": "3.1.1",
    "info": {"title": "Books", "version": "1"},
    "components": {"schemas": {"Book": BOOK, "BookRequest": INPUT}},
    "paths": {BOOKS: {"get": LIST, "post": CREATE}, ONE: {"get": RETRIEVE}},
}

Edit = Callable[[Any], Any]


def changed(edit: Edit, base: Any = OLD) -> Any:
    found = json.loads(json.dumps(base))
    edit(found)
    return found


def books(doc: Any, method: str = "get") -> Any:
    return doc["paths"][BOOKS][method]


def creation(doc: Any) -> Any:
    return books(doc, "post")


def shown(doc: Any) -> Any:
    return doc["components"]["schemas"]["Book"]


def sent(doc: Any) -> Any:
    return doc["components"]["schemas"]["BookRequest"]


def paths(doc: Any) -> Any:
    return doc["paths"]


def put(where: Callable[[Any], Any], *keys: Any) -> Edit:
    """Return the edit that puts the last of ``keys`` where the others lead."""
    *path, last, value = keys

    def edit(doc: Any) -> None:
        node = where(doc)
        for key in path:
            node = node[key]
        node[last] = copy.deepcopy(value)

    return edit


def drop(where: Callable[[Any], Any], *keys: Any) -> Edit:
    def edit(doc: Any) -> None:
        node = where(doc)
        for key in keys[:-1]:
            node = node[key]
        node.pop(keys[-1])

    return edit


def another_parameter(**more: Any) -> Edit:
    found = {"in": "query", "name": "more", "schema": {}, **more}
    return lambda doc: books(doc)["parameters"].append(found)


def another_required_property(doc: Any) -> None:
    sent(doc)["properties"]["more"] = {}
    sent(doc)["required"].append("more")


BREAKING: list[tuple[str, Edit]] = [
    ("operation_removed", drop(paths, ONE)),
    ("operation_removed", drop(paths, BOOKS, "post")),
    ("operation_renamed", put(books, "operationId", "other")),
    ("security_added", put(books, "security", [{"bearer": []}])),
    ("parameter_removed", drop(books, "parameters", 0)),
    ("parameter_required", put(books, "parameters", 0, "required", True)),
    ("parameter_required", another_parameter(required=True)),
    ("bound_narrowed", put(books, "parameters", 0, "schema", "maximum", 100)),
    ("enum_narrowed", put(books, "parameters", 1, "schema", "enum", ["a"])),
    ("type_narrowed", put(books, "parameters", 0, "schema", {"type": "boolean"})),
    ("status_removed", drop(books, "responses", "404")),
    ("status_removed", drop(books, "responses", "200")),
    ("status_added", put(books, "responses", "202", {"description": "later"})),
    ("header_removed", drop(books, "responses", "200", "headers", "ETag")),
    ("media_type_removed", put(books, "responses", "200", "content", {"text/csv": {}})),
    ("property_removed", drop(shown, "properties", "title")),
    ("property_optional", put(shown, "required", ["id"])),
    ("type_changed", put(shown, "properties", "title", "type", ["string", "null"])),
    ("type_changed", put(shown, "properties", "pages", "type", "string")),
    ("type_changed", drop(shown, "properties", "id", "format")),
    ("body_required", put(creation, "requestBody", "required", True)),
    ("body_removed", drop(creation, "requestBody")),
    ("property_required", put(sent, "required", ["title", "pages"])),
    ("property_required", another_required_property),
    ("property_removed", drop(sent, "properties", "pages")),
    ("type_narrowed", put(sent, "properties", "pages", "type", "integer")),
    ("type_narrowed", put(sent, "properties", "tags", "items", "type", "integer")),
    ("enum_narrowed", put(sent, "properties", "grade", "enum", ["a"])),
    ("enum_narrowed", put(sent, "properties", "title", "enum", ["a"])),
    ("bound_narrowed", put(sent, "properties", "title", "maxLength", 50)),
    ("bound_narrowed", put(sent, "properties", "title", "minLength", 1)),
    ("bound_narrowed", put(sent, "properties", "title", "pattern", "^a")),
    ("bound_narrowed", put(sent, "properties", "pages", "minimum", 1)),
    ("bound_narrowed", put(sent, "additionalProperties", False)),
]
FINE: list[tuple[str, Edit]] = [
    ("operation_added", put(paths, "/api/v2/x/books/", {"get": {}})),
    ("operation_deprecated", put(books, "deprecated", True)),
    ("parameter_added", another_parameter()),
    ("property_added", put(shown, "properties", "more", {"type": "string"})),
    ("property_added", put(sent, "properties", "more", {"type": "string"})),
    ("enum_widened", put(shown, "properties", "grade", "enum", ["a", "b", "c"])),
    ("status_added", put(books, "responses", "409", {"description": "no"})),
]
SILENT: list[Edit] = [
    lambda _doc: None,
    put(books, "summary", "Other words."),
    put(sent, "properties", "title", "maxLength", 200),
    put(sent, "properties", "pages", "type", ["number", "null"]),
    put(sent, "required", []),
    put(shown, "properties", "pages", "type", "integer"),
    put(shown, "required", ["id", "title", "pages"]),
    lambda doc: paths(doc).update({"/api/v1/x/books/{key}/": paths(doc).pop(ONE)}),
]


@pytest.mark.parametrize(("code", "edit"), BREAKING)
def test_what_breaks_a_client_is_named(code: str, edit: Edit) -> None:
    found = compare(OLD, changed(edit), today=TODAY)
    assert code in {one.code for one in found if one.breaking}
    assert all(one.where.split(" ")[1].startswith(BOOKS) for one in found)


@pytest.mark.parametrize(("code", "edit"), FINE)
def test_an_addition_breaks_nothing(code: str, edit: Edit) -> None:
    found = compare(OLD, changed(edit), today=TODAY)
    assert {(one.code, one.breaking) for one in found} == {(code, False)}


@pytest.mark.parametrize("edit", SILENT)
def test_what_no_client_can_notice_is_no_change(edit: Edit) -> None:
    assert compare(OLD, changed(edit), today=TODAY) == []


def test_the_same_change_seen_from_both_sides() -> None:
    """What is wider for who sends it is narrower for who has to take it."""
    more = changed(put(sent, "properties", "grade", "enum", ["a", "b", "c"]))
    assert compare(OLD, more, today=TODAY) == []
    assert [one.code for one in compare(more, OLD, today=TODAY)] == ["enum_narrowed"]


@pytest.mark.parametrize(
    ("mark", "breaking"),
    [
        ({}, True),
        ({"deprecated": True}, True),
        ({"deprecated": True, "x-sunset": "2026-11-26"}, True),
        ({"deprecated": True, "x-sunset": "2026-11-25"}, False),
        ({"x-sunset": "2020-01-01"}, True),
    ],
)
def test_what_was_declared_may_go_after_its_sunset(mark: Any, breaking: bool) -> None:
    for path, gone in (
        (("paths", BOOKS, "get"), drop(paths, BOOKS, "get")),
        (("paths", BOOKS, "get", "parameters", 0), drop(books, "parameters", 0)),
        (
            ("components", "schemas", "Book", "properties", "title"),
            drop(shown, "properties", "title"),
        ),
    ):
        old = changed(lambda _doc: None)
        node = old
        for key in path:
            node = node[key]
        node.update(mark)
        found = compare(old, changed(gone, old), today=TODAY)
        assert found
        assert any(one.breaking for one in found) is breaking


def test_the_command_tells_both(tmp_path: Path) -> None:
    old, new, worse = (tmp_path / name for name in ("old.json", "new.json", "worse.json"))
    old.write_text(json.dumps(OLD))
    new.write_text(json.dumps(changed(FINE[3][1])))
    worse.write_text(json.dumps(changed(BREAKING[0][1])))
    run = CliRunner().invoke
    fine = run(build_app(), ["api", "diff", str(old), str(new), "--json"])
    assert (fine.exit_code, json.loads(fine.output)["breaking"]) == (0, 0)
    bad = run(build_app(), ["api", "diff", str(old), str(worse), "--json"])
    told = json.loads(bad.output)
    assert (bad.exit_code, told["ok"], told["breaking"]) == (1, False, 1)
    assert told["changes"][0]["code"] == "operation_removed"
    for broken in ("[]", "{", '{"paths": 1}'):
        new.write_text(broken)
        refused = run(build_app(), ["api", "diff", str(old), str(new), "--json"])
        assert (refused.exit_code, "description_unreadable" in refused.output) == (1, True)


def test_two_files_are_compared_without_a_deployment(tmp_path: Path) -> None:
    old = tmp_path / "old.json"
    old.write_text(json.dumps(OLD))
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PLATFORM_", "DJANGO_"))}  # fmt: skip

    done = subprocess.run(
        [sys.executable, "-m", "platform_core.cli", "api", "diff", str(old), str(old), "--json"],
        cwd=tmp_path,
        env=kept,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["breaking"] == 0
