"""Calls that are safe to try and safe to repeat, alone and at once."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from platform_core.models import IdempotencyRecord
from tests.core.resource.conftest import ApiClient, Library, make_library
from tests.core.resource.testapp.models import Book, Shelf


def body_for(library: Library, **values: Any) -> dict[str, Any]:
    return {
        "title": "T",
        "isbn": uuid.uuid4().hex[:20],
        "shelf": str(library.north_shelf.pk),
        **values,
    }


@pytest.mark.django_db
def test_the_same_key_does_its_work_once(librarian: Any, library: Library) -> None:
    body = body_for(library)
    first = librarian.call("POST", "books/", body, HTTP_IDEMPOTENCY_KEY="k1")
    again = librarian.call("POST", "books/", body, HTTP_IDEMPOTENCY_KEY="k1")
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.content == first.content
    for name in ("Location", "ETag", "Content-Type"):
        assert again[name] == first[name]
    assert again["Idempotency-Replayed"] == "true"
    assert "Idempotency-Replayed" not in first
    assert Book.objects.count() == 1


@pytest.mark.django_db
def test_a_kept_answer_is_encrypted_and_one_that_does_not_open_is_not_done_again(
    librarian: Any, library: Library
) -> None:
    body = body_for(library, title="Not to be read by others")
    first = librarian.call("POST", "books/", body, HTTP_IDEMPOTENCY_KEY="k1")
    assert b"Not to be read" in first.content
    kept = IdempotencyRecord.objects.get()
    assert b"Not to be read" not in bytes(kept.body)

    kept.body = bytes(kept.body)[:-1] + b"x"
    kept.save()
    again = librarian.call("POST", "books/", body, HTTP_IDEMPOTENCY_KEY="k1")

    assert (again.status_code, again.json()["code"]) == (409, "idempotency_answer_lost")
    assert Book.objects.count() == 1


@pytest.mark.django_db
def test_a_repeated_change_does_not_count_twice(librarian: Any, library: Library) -> None:
    book = library.book()
    for _ in range(2):
        answer = librarian.call(
            "PATCH", f"books/{book.pk}/", {"pages": 7}, HTTP_IDEMPOTENCY_KEY="k1"
        )
        assert answer.json()["version"] == 2
    assert Book.history.filter(id=book.pk).count() == 2


@pytest.mark.django_db
def test_a_key_belongs_to_one_body_one_address_and_one_caller(
    client_of: Any, librarian: Any, library: Library
) -> None:
    body = body_for(library)
    librarian.call("POST", "books/", body, HTTP_IDEMPOTENCY_KEY="k1")
    reused = librarian.call("POST", "books/", body_for(library), HTTP_IDEMPOTENCY_KEY="k1")
    assert (reused.status_code, reused.json()["code"]) == (422, "idempotency_key_reused")
    name = {"name": "S", "branch": str(library.north.pk)}
    assert librarian.call("POST", "shelves/", name, HTTP_IDEMPOTENCY_KEY="k1").status_code == 201
    other = client_of("view_book", "add_book", "view_shelf")
    answer = other.call("POST", "books/", body, HTTP_IDEMPOTENCY_KEY="k1")
    assert (answer.status_code, answer.json()["code"]) == (409, "not_unique")


@pytest.mark.django_db
def test_a_refused_call_may_be_repeated_with_its_key(librarian: Any, library: Library) -> None:
    body = body_for(library, pages="many")
    assert librarian.call("POST", "books/", body, HTTP_IDEMPOTENCY_KEY="k1").status_code == 422
    body["pages"] = 3
    assert librarian.call("POST", "books/", body, HTTP_IDEMPOTENCY_KEY="k1").status_code == 201


@pytest.mark.django_db
@pytest.mark.parametrize("key", ["", "with space", "x" * 256, "é"])
def test_a_key_that_is_none_is_refused(librarian: Any, library: Library, key: str) -> None:
    for path in ("books/", "books/?dry_run=true"):
        answer = librarian.call("POST", path, body_for(library), HTTP_IDEMPOTENCY_KEY=key)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_idempotency_key")


@pytest.mark.django_db
def test_a_key_is_forgotten_after_a_day_and_others_are_cleared_away(
    librarian: Any, library: Library
) -> None:
    body = body_for(library)
    for number in range(5):
        librarian.call("POST", "books/", body_for(library), HTTP_IDEMPOTENCY_KEY=f"old{number}")
    librarian.call("POST", "books/", body, HTTP_IDEMPOTENCY_KEY="k1")
    IdempotencyRecord.objects.update(created_at=timezone.now() - timedelta(hours=25))
    answer = librarian.call("POST", "books/", body, HTTP_IDEMPOTENCY_KEY="k1")
    assert answer.json()["code"] == "not_unique"
    body["isbn"] = "another"
    assert librarian.call("POST", "books/", body, HTTP_IDEMPOTENCY_KEY="k1").status_code == 201
    assert IdempotencyRecord.objects.count() == 3


@pytest.mark.django_db
def test_who_lost_the_right_gets_no_answer_again(
    client_of: Any, source: Any, library: Library
) -> None:
    editor = client_of("view_book", "add_book", "view_shelf")
    body = body_for(library)
    assert editor.call("POST", "books/", body, HTTP_IDEMPOTENCY_KEY="k1").status_code == 201
    source.held.clear()
    assert editor.call("POST", "books/", body, HTTP_IDEMPOTENCY_KEY="k1").status_code == 403


@pytest.mark.django_db
def test_who_lost_a_row_from_sight_gets_no_answer_about_it_again(
    client_of: Any, source: Any, library: Library
) -> None:
    verbs = ("view_book", "add_book", "change_book", "view_shelf")
    editor = client_of(*verbs, units=[library.north.pk, library.south.pk])
    ours, theirs = library.book(), library.book(shelf=library.south_shelf)
    new = [
        body_for(library, isbn="new", shelf=str(library.south_shelf.pk)),
        body_for(library, isbn="north"),
    ]
    changes = [{"id": str(one.pk), "title": "changed"} for one in (ours, theirs)]
    calls: list[tuple[str, str, Any]] = [
        ("POST", "books/", new[0]),
        ("PATCH", f"books/{theirs.pk}/", {"title": "secret"}),
        ("POST", f"books/{theirs.pk}/take-back/", None),
        ("POST", "books/bulk/create/", {"items": [{**one, "isbn": f"b{n}"} for n, one in enumerate(new)]}),
        ("POST", "books/bulk/update/", {"items": changes}),
        ("POST", "books/bulk/take-back/", {"items": [{"id": one["id"]} for one in changes]}),
    ]  # fmt: skip

    def answers() -> list[Any]:
        return [
            editor.call(method, path, body, HTTP_IDEMPOTENCY_KEY="k")
            for method, path, body in calls
        ]

    first, same = answers(), answers()
    assert [one.content for one in same] == [one.content for one in first]
    assert {one.status_code for one in first} == {200, 201}
    source.grant(editor.id, *verbs, units=[library.north.pk])

    after = answers()

    assert [one.status_code for one in after[:3]] == [404] * 3
    for one in after[3:]:
        assert one["Idempotency-Replayed"] == "true"
        shown = [result["index"] for result in one.json()["results"] if "data" in result]
        assert shown == ([1] if one is after[3] else [0])
    theirs.refresh_from_db()
    assert theirs.title == "changed"


@pytest.mark.django_db
def test_a_trial_answers_the_same_and_changes_nothing(librarian: Any, library: Library) -> None:
    tried = librarian.call("POST", "books/?dry_run=true", body_for(library, isbn="1"))
    assert (tried.status_code, tried["Dry-Run"]) == (201, "true")
    assert not Book.all_objects.exists()
    done = librarian.call("POST", "books/?dry_run=false", body_for(library, isbn="1"))
    ignored = {"id": "", "created_at": "", "updated_at": ""}
    assert tried.json() | ignored == done.json() | ignored
    path = f"books/{done.json()['id']}/"
    assert librarian.call("PATCH", f"{path}?dry_run=true", {"title": "U"}).json()["version"] == 2
    assert librarian.call("POST", f"{path}lend/?dry_run=true", {"reader": "A"}).json()["is_lent"]
    assert librarian.call("DELETE", f"{path}?dry_run=true").status_code == 204
    assert librarian.call("GET", path).json()["version"] == 1
    assert Book.history.count() == 1


@pytest.mark.django_db
def test_a_trial_is_refused_as_the_call_would_be(
    client_of: Any, librarian: Any, library: Library
) -> None:
    library.book(isbn="1")
    taken = librarian.call("POST", "books/?dry_run=true", body_for(library, isbn="1"))
    assert (taken.status_code, taken.json()["code"]) == (409, "not_unique")
    reader = client_of("view_book", "view_shelf")
    assert reader.call("POST", "books/?dry_run=true", body_for(library)).status_code == 403
    assert librarian.call("POST", "books/?dry_run=perhaps", body_for(library)).status_code == 422
    assert librarian.call("GET", "books/?dry_run=true").status_code == 422


@pytest.mark.django_db
def test_a_trial_uses_up_no_key(librarian: Any, library: Library) -> None:
    body = body_for(library)
    librarian.call("POST", "books/?dry_run=true", body, HTTP_IDEMPOTENCY_KEY="k1")
    answer = librarian.call("POST", "books/", body, HTTP_IDEMPOTENCY_KEY="k1")
    assert "Idempotency-Replayed" not in answer


@pytest.mark.django_db(transaction=True)
def test_of_many_creates_at_once_with_one_key_one_makes_a_row(client_of: Any) -> None:
    library = make_library()
    editor = client_of("view_book", "add_book", "view_shelf")
    body = body_for(library)
    answers = at_once(
        40,
        lambda: ApiClient(editor.id).call("POST", "books/", body, HTTP_IDEMPOTENCY_KEY="race"),
        repeat=5,
    )
    assert {one.status_code for one in answers} <= {201, 409}
    made = [one for one in answers if one.status_code == 201]
    assert len([one for one in made if "Idempotency-Replayed" not in one]) == 1
    assert len({one.content for one in made}) == 1
    for one in answers:
        if one.status_code == 409:
            assert one.json()["code"] == "idempotency_in_progress"
            assert one["Retry-After"] == "1"
    assert Book.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_of_many_writers_who_saw_the_same_state_one_wins(client_of: Any) -> None:
    library = make_library()
    shelf = library.north_shelf
    editor = client_of("view_shelf", "change_shelf", "view_branch")
    answers = at_once(
        16,
        lambda: ApiClient(editor.id).call(
            "PATCH", f"shelves/{shelf.pk}/", {"name": uuid.uuid4().hex}, HTTP_IF_MATCH='"1"'
        ),
    )
    assert sorted(one.status_code for one in answers) == [200] + [412] * 15
    assert Shelf.objects.get(pk=shelf.pk).version == 2


def at_once(times: int, call: Callable[[], Any], *, repeat: int = 1) -> list[Any]:
    """Run ``call`` in threads that start together, each with a connection of its own and ``repeat`` times."""
    start = threading.Barrier(times)
    answers: list[Any] = []

    def run() -> None:
        try:
            start.wait(timeout=60)
            for _ in range(repeat):
                answers.append(call())
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(times)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == times * repeat
    return answers
