"""What is going away is told in headers and in OpenAPI, and who still uses it is counted by kind."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from django.test import override_settings
from django.urls import include, path
from structlog.testing import capture_logs

from platform_core.api_docs import documentation_urls
from platform_core.compatibility.documents import compare
from platform_core.registry.diagnosis_installation import _sunsets
from platform_core.registry.item_facts import facts_of
from platform_core.resource import Deprecated, build_plugin_urls
from platform_core.resource.openapi.generator import PlatformSchemaGenerator
from tests.core.resource.conftest import Library
from tests.core.resource.testapp.resources import SLUG, BookResource, BranchResource

OLD, NEW = datetime.date(2026, 1, 1), datetime.date(2027, 1, 1)
SUNSET = Deprecated(
    since=OLD, sunset=NEW, successor="/api/v2/x/", link="https://example.org/a", instead="Use v2."
)
PLAIN = Deprecated(since=datetime.date(2026, 6, 1))


class GoingBranches(BranchResource):
    """Branches that go away."""

    name = "going-branches"
    deprecated = SUNSET


class AgeingBooks(BookResource):
    """Books of which parts go away."""

    name = "ageing-books"
    deprecated_actions = {"lend": PLAIN}
    deprecated_parameters = {"grade": PLAIN}
    deprecated_fields = {"subtitle": SUNSET}


urlpatterns = [
    path(f"api/v1/{SLUG}/", include((build_plugin_urls(SLUG, [GoingBranches, AgeingBooks]), SLUG))),
    path("api/", include(documentation_urls())),
]


@pytest.fixture(autouse=True)
def _own_urls(_library_urls: None) -> Iterator[None]:
    with override_settings(ROOT_URLCONF=__name__):
        yield


def test_every_answer_of_the_whole_says_so(
    librarian: Any, anonymous: Any, library: Library
) -> None:
    listed = librarian.call("GET", "going-branches/?limit=1")
    for answer in (listed, anonymous.call("GET", "going-branches/")):
        assert answer["Deprecation"] == "@1767225600"
        assert answer["Sunset"] == "Fri, 01 Jan 2027 00:00:00 GMT"
        assert '<https://example.org/a>; rel="deprecation"; type="text/html"' in answer["Link"]
        assert '</api/v2/x/>; rel="successor-version"' in answer["Link"]
    assert listed.status_code == 200
    assert listed["Link"].startswith("<http")
    assert 'rel="next"' in listed["Link"]


def test_a_part_is_told_to_whoever_uses_it_only(librarian: Any, library: Library) -> None:
    book = library.book()
    where = f"ageing-books/{book.pk}/"
    for method, target, body, deprecated in (
        ("GET", "ageing-books/", None, False),
        ("GET", "ageing-books/?grade=a", None, True),
        ("GET", "ageing-books/?fields=title", None, False),
        ("GET", "ageing-books/?fields=title,subtitle", None, True),
        ("PATCH", where, {"title": "x"}, False),
        ("PATCH", where, {"subtitle": "x"}, True),
        ("POST", f"{where}take-back/", None, False),
        ("POST", f"{where}lend/", {"reader": "x"}, True),
    ):
        answer = librarian.call(method, target, body)
        assert answer.status_code == 200, answer.content
        assert ("Deprecation" in answer) is deprecated, target
        assert ("Sunset" in answer) is ("subtitle" in f"{target}{body}"), target


def test_who_still_uses_it_is_logged_by_kind_alone(librarian: Any, library: Library) -> None:
    with capture_logs() as lines:
        librarian.call("GET", "going-branches/")
    told = [one for one in lines if one["event"] == "deprecated_call"]
    assert [(one["plugin"], one["what"], one["caller"]) for one in told] == [
        (SLUG, "resource", "user")
    ]
    assert str(librarian.id) not in str(told)


def test_openapi_marks_each_part() -> None:
    document = PlatformSchemaGenerator(urlconf=__name__).get_schema(public=True)  # type: ignore[no-untyped-call]
    root = f"/api/v1/{SLUG}/"
    going = document["paths"][f"{root}going-branches/"]["get"]
    assert (going["deprecated"], going["x-sunset"]) == (True, "2027-01-01")
    assert "Use v2." in going["description"]
    assert {"Deprecation", "Sunset"} <= going["responses"]["200"]["headers"].keys()
    books = document["paths"][f"{root}ageing-books/"]["get"]
    assert "deprecated" not in books
    marked = {one["name"] for one in books["parameters"] if one.get("deprecated")}
    assert marked == {"grade"}
    assert document["paths"][f"{root}ageing-books/{{id}}/lend/"]["post"]["deprecated"] is True
    schemas = document["components"]["schemas"]
    shown = [one for name, one in schemas.items() if name.endswith("Book")]
    assert {one["properties"]["subtitle"]["x-sunset"] for one in shown} == {"2027-01-01"}

    without = {**document, "paths": {}}
    for today, breaking in ((datetime.date(2026, 12, 31), True), (NEW, False)):
        found = compare(document, without, today=today)
        of_branches = [one for one in found if "going-branches" in one.where]
        assert {one.breaking for one in of_branches} == {breaking}


@pytest.mark.parametrize(
    "declared",
    [
        {"deprecated_actions": {"explode": PLAIN}},
        {"deprecated_parameters": {"nope": PLAIN}},
        {"deprecated_fields": {"nope": PLAIN}},
        {"deprecated": Deprecated(since=NEW, sunset=OLD)},
        {"deprecated": Deprecated(since=OLD, link='https://x/>; rel="evil"')},
    ],
)
def test_a_wrong_declaration_does_not_start(declared: dict[str, Any]) -> None:
    wrong = type("WrongResource", (BookResource,), declared)
    with pytest.raises(TypeError, match="WrongResource declares what is deprecated wrongly"):
        build_plugin_urls(SLUG, [wrong])


def test_the_doctor_warns_from_the_sunset_on() -> None:
    facts = facts_of(GoingBranches)
    assert facts["deprecated"] == {"resource": "2027-01-01"}
    rows = [{"kind": "resources", "name": "/x/", "facts": facts, "remembered": False}]
    situation: Any = SimpleNamespace(contents=lambda: [(SLUG, row) for row in rows])
    assert list(_sunsets(situation, NEW - datetime.timedelta(days=1))) == []
    (found,) = _sunsets(situation, NEW)
    assert (found.code, found.severity, found.plugin) == ("sunset_passed", "warning", SLUG)
