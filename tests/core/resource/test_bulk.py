"""Many rows in one call: a result for each, or all or nothing."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from tests.core.resource.conftest import Library, codes
from tests.core.resource.testapp.models import Book

pytestmark = pytest.mark.django_db


def item(library: Library, **values: Any) -> dict[str, Any]:
    return {
        "title": "T",
        "isbn": uuid.uuid4().hex[:20],
        "shelf": str(library.north_shelf.pk),
        **values,
    }


def statuses(response: Any) -> list[int]:
    assert response.status_code == 200, response.content
    body = response.json()
    found = [one["status"] for one in body["results"]]
    assert [one["index"] for one in body["results"]] == list(range(len(found)))
    assert body["failed"] == sum(1 for status in found if status >= 400)
    assert body["succeeded"] + body["failed"] == len(found)
    return found


def test_each_item_has_a_result_of_its_own(librarian: Any, library: Library) -> None:
    items = [item(library, isbn="1"), item(library, pages="many"), item(library, isbn="1"), 7]
    response = librarian.call("POST", "books/bulk/create/", {"items": items})
    assert statuses(response) == [201, 422, 409, 422]
    results = response.json()["results"]
    assert results[0]["data"]["isbn"] == "1"
    assert results[1]["problem"]["errors"][0]["pointer"] == "/pages"
    assert results[2]["problem"]["code"] == "not_unique"
    assert Book.objects.count() == 1
    assert Book.history.count() == 1


def test_all_or_nothing_when_the_client_says_so(librarian: Any, library: Library) -> None:
    items = [item(library), item(library, pages=0)]
    strict = {"HTTP_PREFER": "handling=strict"}
    refused = librarian.call("POST", "books/bulk/create/", {"items": items}, **strict)
    assert (refused.status_code, refused.json()["code"]) == (422, "bulk_failed")
    assert [one["index"] for one in refused.json()["results"]] == [1]
    assert not Book.all_objects.exists()
    done = librarian.call("POST", "books/bulk/create/", {"items": items[:1]}, **strict)
    assert statuses(done) == [201]
    assert done["Preference-Applied"] == "handling=strict"


def test_rows_are_changed_deleted_and_restored_by_id(librarian: Any, library: Library) -> None:
    books = [library.book(str(number)) for number in range(3)]
    ids = [{"id": str(book.pk)} for book in books]
    changes = [{**one, "title": "new"} for one in ids] + [{"id": str(uuid.uuid4())}, {"id": "x"}]
    changed = librarian.call("POST", "books/bulk/update/", {"items": changes})
    assert statuses(changed) == [200, 200, 200, 404, 422]
    assert set(Book.objects.values_list("title", flat=True)) == {"new"}
    for verb, status in (("delete", 204), ("delete", 404), ("restore", 200)):
        answer = librarian.call("POST", f"books/bulk/{verb}/", {"items": ids})
        assert statuses(answer) == [status] * 3
    lent = [{**one, "reader": "Ada"} for one in ids]
    assert statuses(librarian.call("POST", "books/bulk/lend/", {"items": lent})) == [200] * 3
    answer = librarian.call("POST", "books/bulk/take-back/", {"items": [*ids, ids[0]]})
    assert statuses(answer) == [200] * 4


def test_an_item_may_name_the_state_that_was_seen(librarian: Any, library: Library) -> None:
    seen, missed = library.book(), library.book()
    tag = librarian.call("GET", f"books/{seen.pk}/")["ETag"]
    items = [
        {"id": str(seen.pk), "if_match": tag, "title": "new"},
        {"id": str(missed.pk), "if_match": '"7"', "title": "new"},
        {"id": str(missed.pk), "if_match": 7, "title": "new"},
    ]
    answer = librarian.call("POST", "books/bulk/update/", {"items": items})
    assert statuses(answer) == [200, 412, 422]


def test_rows_of_others_are_not_touched(client_of: Any, library: Library) -> None:
    mine, theirs = library.book(), library.book(shelf=library.south_shelf)
    northern = client_of("view_book", "change_book", units=[library.north.pk])
    items = [{"id": str(book.pk), "title": "taken"} for book in (mine, theirs)]
    assert statuses(northern.call("POST", "books/bulk/update/", {"items": items})) == [200, 404]
    assert Book.objects.get(pk=theirs.pk).title == "A book"
    reader = client_of("view_book")
    for verb in ("create", "update", "delete", "restore", "lend"):
        path = f"books/bulk/{verb}/"
        assert reader.call("POST", path, {"items": items}).status_code == 403


@pytest.mark.parametrize(
    "body", [{}, [], {"items": {}}, {"items": []}, {"items": [{}], "x": 1}, {"items": [{}] * 501}]
)
def test_a_body_that_is_no_list_of_items_is_refused(librarian: Any, body: Any) -> None:
    response = librarian.call("POST", "books/bulk/create/", body)
    assert response.status_code == 422
    assert set(codes(response)) == {"/items/0"} or set(codes(response)) == {"/items"}


def test_a_trial_of_many_changes_nothing(librarian: Any, library: Library) -> None:
    body = {"items": [item(library), item(library)]}
    tried = librarian.call("POST", "books/bulk/create/?dry_run=true", body)
    assert statuses(tried) == [201, 201]
    assert not Book.all_objects.exists()


def test_many_are_safe_to_repeat(librarian: Any, library: Library) -> None:
    body = {"items": [item(library), item(library, pages=0)]}
    answers = [
        librarian.call("POST", "books/bulk/create/", body, HTTP_IDEMPOTENCY_KEY="k")
        for _ in range(2)
    ]
    assert answers[0].content == answers[1].content
    assert Book.objects.count() == 1


def test_what_a_resource_does_not_offer_has_no_bulk_call(librarian: Any) -> None:
    assert (
        librarian.call("POST", "broken-branches/bulk/create/", {"items": [{}]}).status_code == 404
    )
    assert librarian.call("GET", "books/bulk/create/").status_code == 405
