"""What leaves an event, what does not, and that nothing is changed without one."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.utils import ProgrammingError

from platform_core.access import acting_as, system_actor
from platform_core.audit import AuditUnavailable, Event, audited, record
from platform_core.audit.refusals import attempts
from platform_core.errors import Conflict
from platform_core.models import AuditEvent, AuditPayload
from tests.core.resource.conftest import ApiClient, Library
from tests.core.resource.testapp.models import Book

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _nobody_has_tried_before() -> None:
    attempts.forget()


def events(**about: Any) -> list[AuditEvent]:
    return list(AuditEvent.objects.filter(**about).order_by("id"))


def events_of(target: Any) -> list[tuple[str, str, str]]:
    found = events(target_id=str(target))
    return [(one.action, one.outcome, one.code) for one in found]


@pytest.fixture
def book(library: Library) -> Book:
    with acting_as(system_actor("test")):
        return library.book()


def test_each_write_of_a_resource_leaves_one_event(librarian: ApiClient, library: Library) -> None:
    before = AuditEvent.objects.count()
    body = {"title": "T", "isbn": "1", "shelf": str(library.north_shelf.pk)}
    created = librarian.call("POST", "books/", body)
    assert created.status_code == 201, created.content
    place = f"books/{created.json()['id']}/"
    assert librarian.call("PATCH", place, {"title": "U"}).status_code == 200
    assert librarian.call("DELETE", place).status_code == 204
    assert librarian.call("POST", f"{place}restore/").status_code == 200
    found = events(target_id=created.json()["id"])
    assert [one.action for one in found] == ["create", "update", "delete", "restore"]
    assert AuditEvent.objects.count() == before + 4
    first = found[0]
    assert (first.actor_id, first.actor_kind) == (librarian.id, "user")
    assert (first.plugin, first.target_type) == ("resource_testapp", "resource_testapp.book")
    assert first.request_id == created["X-Request-ID"]
    assert AuditPayload.objects.get(pk=first.pk).content == {"address": "127.0.0.1"}


def test_reads_and_calls_that_only_try_leave_none(librarian: ApiClient, book: Book) -> None:
    before = AuditEvent.objects.count()
    librarian.call("GET", "books/")
    librarian.call("GET", f"books/{book.pk}/")
    assert (
        librarian.call("PATCH", f"books/{book.pk}/?dry_run=true", {"title": "U"}).status_code == 200
    )
    assert librarian.call("DELETE", f"books/{uuid.uuid4()}/?dry_run=true").status_code == 404
    assert AuditEvent.objects.count() == before


def test_a_repeated_call_leaves_one(librarian: ApiClient, library: Library) -> None:
    body = {"title": "T", "isbn": "1", "shelf": str(library.north_shelf.pk)}
    first = librarian.call("POST", "books/", body, HTTP_IDEMPOTENCY_KEY="k1")
    again = librarian.call("POST", "books/", body, HTTP_IDEMPOTENCY_KEY="k1")
    assert again["Idempotency-Replayed"] == "true"
    assert events_of(first.json()["id"]) == [("create", "done", "")]


def test_refusals_of_writes_leave_one_each(
    client_of: Callable[..., ApiClient],
    anonymous: ApiClient,
    book: Book,
) -> None:
    place = f"books/{book.pk}/"
    viewer = client_of("view_book")
    nobody = client_of()
    changer = client_of("view_book", "change_book")
    assert viewer.call("PATCH", place, {"title": "U"}).status_code == 403
    assert nobody.call("PATCH", place, {"title": "U"}).status_code == 404
    assert anonymous.call("PATCH", place, {"title": "U"}).status_code == 401
    assert changer.call("PATCH", place, {"title": "U"}, HTTP_IF_MATCH='"99"').status_code == 412
    assert changer.call("PATCH", place, {"title": ""}).status_code == 422
    refused = [one for one in events(target_id=str(book.pk)) if one.outcome == "refused"]
    assert [(one.actor_id, one.code) for one in refused] == [
        (viewer.id, "permission_denied"),
        (nobody.id, "not_found"),
        (None, "not_authenticated"),
        (changer.id, "precondition_failed"),
    ]


def test_a_refused_create_has_no_target(
    client_of: Callable[..., ApiClient], library: Library
) -> None:
    viewer = client_of("view_book")
    assert viewer.call("POST", "books/", {"title": "T"}).status_code == 403
    (found,) = events(actor_id=viewer.id)
    assert (found.action, found.outcome, found.target_id) == ("create", "refused", "")


def test_a_bulk_call_leaves_one_event_for_each_item(librarian: ApiClient, library: Library) -> None:
    books = [library.book(f"B{index}") for index in range(3)]
    gone = uuid.uuid4()
    items: list[dict[str, Any]] = [{"id": str(one.pk), "title": "new"} for one in books]
    answer = librarian.call(
        "POST", "books/bulk/update/", {"items": [*items, {"id": str(gone), "title": "x"}]}
    )
    assert answer.json()["succeeded"] == 3
    mine = events(actor_id=librarian.id)
    assert sorted((one.target_id, one.outcome) for one in mine) == sorted(
        [*((str(one.pk), "done") for one in books), (str(gone), "refused")]
    )


def test_a_strict_bulk_call_that_fails_leaves_the_refusals_only(
    librarian: ApiClient,
    library: Library,
) -> None:
    one, gone = library.book(), uuid.uuid4()
    items = [{"id": str(one.pk), "title": "new"}, {"id": str(gone), "title": "x"}]
    answer = librarian.call(
        "POST", "books/bulk/update/", {"items": items}, HTTP_PREFER="handling=strict"
    )
    assert answer.status_code == 422
    assert [(e.target_id, e.outcome) for e in events(actor_id=librarian.id)] == [
        (str(gone), "refused")
    ]


def test_writes_outside_of_requests_tell_themselves(library: Library) -> None:
    with acting_as(system_actor("nightly"), reason="tidying up"):
        book = library.book()
        Book.objects.filter(pk=book.pk).update(title="other")
        Book.objects.bulk_create(
            Book(title=str(i), isbn=str(i), shelf=library.north_shelf) for i in range(5)
        )
    assert [one[0] for one in events_of(book.pk)] == ["create", "update"]
    (bulk,) = events(actor_label="nightly", target_id="")
    assert (bulk.details, bulk.reason) == ({"rows": 5}, "tidying up")


def test_an_action_is_one_event_whatever_it_writes(library: Library) -> None:
    with audited(Event(action="library.moved", target_type="library", target_id="north")):
        book = library.book()
        book.delete()
        record(Event(action="library.noted"))
    assert events_of(book.pk) == []
    (found,) = events(action="library.moved")
    assert found.details == {"notes": ["library.noted"]}


@pytest.mark.parametrize(
    ("error", "outcome", "code"),
    [
        (Conflict("no", code="taken"), "refused", "taken"),
        (ZeroDivisionError(), "failed", "ZeroDivisionError"),
    ],
)
def test_an_action_that_does_not_succeed_is_told_after_its_rollback(
    library: Library,
    error: Exception,
    outcome: str,
    code: str,
) -> None:
    def move() -> None:
        with audited(Event(action="library.moved", target_id="x1")):
            library.book("never")
            raise error

    with pytest.raises(type(error)):
        move()
    assert not Book.objects.filter(title="never").exists()
    assert events_of("x1") == [("library.moved", outcome, code)]


@pytest.mark.parametrize(
    "broken",
    [
        "ALTER TABLE platform_core_auditevent RENAME TO away",
        "DROP TABLE platform_core_auditpayload",
        "REVOKE INSERT ON platform_core_auditevent FROM CURRENT_USER",
        "REVOKE INSERT ON platform_core_auditpayload FROM CURRENT_USER",
    ],
)
def test_without_the_trail_nothing_is_changed(
    broken: str, librarian: ApiClient, book: Book
) -> None:
    with connection.cursor() as cursor:
        cursor.execute(broken)
    answer = librarian.call("PATCH", f"books/{book.pk}/", {"title": "unseen"})
    assert (answer.status_code, answer.json()["code"]) == (503, "audit_unavailable")
    with pytest.raises(AuditUnavailable), transaction.atomic():
        Book.objects.filter(pk=book.pk).update(title="unseen")
    book.refresh_from_db()
    assert book.title == "A book"
    assert Book.history.filter(id=book.pk).count() == 1


@pytest.mark.parametrize("table", ["auditevent", "auditpayload", "auditseal"])
@pytest.mark.parametrize("statement", ["UPDATE {} SET {} = {}", "DELETE FROM {}", "TRUNCATE {}"])
def test_no_sql_changes_the_trail(table: str, statement: str) -> None:
    record(Event(action="x", personal={"a": "b"}))
    key = {"auditevent": "id", "auditpayload": "event_id", "auditseal": "seq"}[table]
    name = f"platform_core_{table}"
    with connection.cursor() as cursor, pytest.raises(ProgrammingError, match="append-only"):
        cursor.execute(statement.format(name, key, key))


def test_the_triggers_stand_for_replicas_too() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tgname, tgenabled FROM pg_trigger WHERE tgrelid::regclass::text LIKE 'platform_core_audit%'"
        )
        assert sorted(cursor.fetchall()) == [("erases", "A"), *[("stays", "A")] * 3]


def test_a_personal_part_is_erased_and_not_changed() -> None:
    record(Event(action="x", personal={"a": "b"}))
    with connection.cursor() as cursor, pytest.raises(ProgrammingError, match="not changed"):
        cursor.execute("""UPDATE platform_core_auditpayload SET content = '{"a": "c"}'""")


def test_attempts_alike_are_told_one_by_one_and_then_at_each_doubling(
    client_of: Callable[..., ApiClient],
    book: Book,
) -> None:
    viewer = client_of("view_book")
    for _ in range(85):
        viewer.call("DELETE", f"books/{book.pk}/")
    found = events(actor_id=viewer.id)
    assert [one.details for one in found] == [*[{}] * 20, {"times": 40}, {"times": 80}]
