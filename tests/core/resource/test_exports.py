"""Exports: exactly the list, whole, for whoever may; broken off where anything fails, never quietly short."""

from __future__ import annotations

import csv
import io
import json
import logging
from contextlib import ExitStack
from typing import Any

import openpyxl
import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from platform_core.resource import export_streams, exports
from platform_core.resource.reads import Reads
from tests.core.resource.conftest import ROOT, Library, codes
from tests.core.resource.testapp.models import Book, Member, Sample, Shelf
from tests.core.resource.testapp.resources import SampleResource

pytestmark = pytest.mark.django_db


def exported(client: Any, path: str) -> list[dict[str, Any]]:
    """Return the rows of an export in JSON Lines."""
    mark = "&" if "?" in path else "?"
    response = client.call("GET", f"{path}{mark}format=jsonl")
    assert response.status_code == 200, response.content
    return [json.loads(line) for line in response.getvalue().splitlines()]


def hang_up(response: Any) -> None:
    """Read the beginning and close, as a server does when its client is gone."""
    next(response.streaming_content)
    response._iterator.close()


def listed(client: Any, path: str) -> list[dict[str, Any]]:
    """Return the rows of all pages."""
    rows: list[dict[str, Any]] = []
    following = path
    while following:
        page = client.call("GET", following.replace("http://testserver", "")).json()
        rows += page["data"]
        following = page["next"]
    return rows


@pytest.mark.parametrize(
    "query",
    [
        "",
        "?ordering=-pages",
        "?ordering=published_on,-title",
        "?search=ev",
        "?grade=b&grade=c",
        "?pages__gte=3&fields=title,pages",
        "?shelf__name=S1&ordering=-created_at",
    ],
)
def test_an_export_is_the_list_without_pages(librarian: Any, library: Library, query: str) -> None:
    for number in range(60):
        shelf = library.south_shelf if number % 4 else library.north_shelf
        grade = "abc"[number % 3]
        library.book(f"Every {number % 7}", pages=1 + number % 5, shelf=shelf, grade=grade)
    Book.objects.filter(pages=2).update(published_on="2026-01-02")
    rows = exported(librarian, f"books/export/{query}")
    assert rows == listed(librarian, f"books/{query}")
    assert rows


def test_more_than_one_batch_comes_in_order_and_in_one_query(
    librarian: Any, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "BATCH_ROWS", 7)
    for number in range(30):
        library.book(f"{number:02}")
        Sample.objects.create(text=f"{number:02}", data={"number": number})
    assert [row["title"] for row in exported(librarian, "books/export/")] == [
        f"{number:02}" for number in range(30)
    ]
    with CaptureQueriesContext(connection) as captured:
        exported(librarian, "books/export/")
    assert sum('FROM "resource_testapp_book"' in one["sql"] for one in captured) == 1
    fast, slow = exported(librarian, "samples/export/"), exported(librarian, "slow-samples/export/")
    assert fast == slow
    assert [row["data"] for row in fast] == [{"number": number} for number in range(30)]


def test_csv_has_a_heading_and_neutral_cells(librarian: Any, library: Library) -> None:
    library.book("=HYPERLINK(1)", subtitle="+49 30", pages=7)
    response = librarian.call("GET", "books/export/?fields=title,subtitle,pages,price,grade")
    content = response.getvalue()
    assert content == b"title,subtitle,pages,price,grade\r\n'=HYPERLINK(1),'+49 30,7,0.00,a\r\n"
    semicolons = librarian.call("GET", "books/export/?fields=title,pages&delimiter=semicolon")
    assert semicolons.getvalue() == "\ufefftitle;pages\r\n'=HYPERLINK(1);7\r\n".encode()


def test_a_workbook_has_texts_numbers_and_truths(librarian: Any, library: Library) -> None:
    library.book("=1+1", pages=7)
    response = librarian.call("GET", "books/export/?format=xlsx&fields=title,pages,price,is_lent")
    book = openpyxl.load_workbook(io.BytesIO(response.getvalue()))
    assert [[cell.value for cell in row] for row in book.active.rows] == [
        ["title", "pages", "price", "is_lent"],
        ["'=1+1", 7, "0.00", False],
    ]


def test_the_headers_say_what_it_is_and_that_nobody_keeps_it(
    librarian: Any, library: Library
) -> None:
    for name, media_type in (("csv", "text/csv; charset=utf-8"), ("jsonl", "application/jsonl")):
        response = librarian.call("GET", f"books/export/?format={name}", HTTP_ACCEPT="text/csv")
        assert response["Content-Type"] == media_type
        assert response["Cache-Control"] == "no-store"
        assert response["Content-Disposition"].startswith('attachment; filename="books-20')
        assert response["Content-Disposition"].endswith(f'.{name}"')
        response.getvalue()
    head = librarian.call("HEAD", "books/export/")
    assert (head.status_code, head.content) == (200, b"")
    assert head["Content-Type"] == "text/csv; charset=utf-8"


def test_an_export_of_nothing_has_a_heading(librarian: Any, library: Library) -> None:
    content = librarian.call("GET", "books/export/?fields=title").getvalue()
    assert content == b"title\r\n"
    assert exported(librarian, "books/export/") == []


def test_only_whoever_holds_the_permission_exports(
    client_of: Any, anonymous: Any, library: Library
) -> None:
    library.book()
    viewer = client_of("view_book")
    for name in ("csv", "xlsx", "jsonl"):
        path = f"books/export/?format={name}"
        assert viewer.call("GET", path).status_code == 403
        assert anonymous.call("GET", path).status_code == 401
    assert len(exported(client_of("view_book", "export_book"), "books/export/")) == 1


def test_rows_have_to_be_seen_and_exported(client_of: Any, library: Library) -> None:
    north = library.book("N")
    south = library.book("S", shelf=library.south_shelf)
    blind = client_of("export_book")
    assert exported(blind, "books/export/") == []
    partly = client_of("view_book", units=[library.north.pk, library.south.pk])
    assert partly.call("GET", "books/export/").status_code == 403
    northern = client_of("view_book", "export_book", units=[library.north.pk])
    assert [row["id"] for row in exported(northern, "books/export/")] == [str(north.pk)]
    assert str(south.pk) not in str(exported(northern, "books/export/"))


def test_exporting_less_than_one_sees(source: Any, client_of: Any, library: Library) -> None:
    north = library.book("N")
    library.book("S", shelf=library.south_shelf)
    client = client_of("view_book")
    source.grant(client.id, "export_book", units=[library.north.pk])
    assert len(listed(client, "books/")) == 2
    assert [row["id"] for row in exported(client, "books/export/")] == [str(north.pk)]


def test_without_a_permission_in_the_policy_there_is_no_route(librarian: Any) -> None:
    assert librarian.call("GET", "branches/export/").status_code == 404
    assert librarian.call("POST", "branches/import/", b"name\r\nx\r\n").status_code == 404


@pytest.mark.parametrize(
    ("query", "parameter", "code"),
    [
        ("format=pdf", "format", "unknown_format"),
        ("format=csv&format=xlsx", "format", "repeated_parameter"),
        ("delimiter=pipe", "delimiter", "invalid_parameter"),
        ("format=jsonl&delimiter=comma", "delimiter", "invalid_parameter"),
        ("fields=secret", "fields", "unknown_field"),
        ("ordering=isbn", "ordering", "unknown_ordering"),
        ("limit=3", "limit", "unknown_parameter"),
        ("cursor=x", "cursor", "unknown_parameter"),
        ("expand=shelf", "expand", "unknown_parameter"),
        ("pages=many", "pages", "invalid_parameter"),
    ],
)
def test_what_an_export_does_not_take_is_refused_by_name(
    librarian: Any, library: Library, query: str, parameter: str, code: str
) -> None:
    response = librarian.call("GET", f"books/export/?{query}")
    assert response.status_code == 422
    assert codes(response) == {parameter: code}


def test_what_a_sheet_cannot_hold_is_refused_at_once(
    librarian: Any, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    Sample.objects.create(text="x" * 32_767, data={"a": "x" * 40_000})
    long = librarian.call("GET", "samples/export/?format=xlsx")
    assert (long.status_code, long.json()["code"]) == (422, "cell_too_long")
    assert "text" in long.json()["detail"]
    data = librarian.call("GET", "samples/export/?format=xlsx&fields=data")
    assert "data" in data.json()["detail"]
    assert librarian.call("GET", "samples/export/?format=xlsx&fields=number").getvalue()
    assert exported(librarian, "samples/export/?fields=text")[0]["text"] == "x" * 32_767
    xlsx = exports.FORMATS["xlsx"]
    small = type(xlsx)(xlsx.name, xlsx.media_type, most_rows=1)
    monkeypatch.setattr(exports, "FORMATS", {**exports.FORMATS, "xlsx": small})
    library.book()
    assert librarian.call("GET", "books/export/?format=xlsx").getvalue()
    library.book()
    many = librarian.call("GET", "books/export/?format=xlsx")
    assert (many.status_code, many.json()["code"]) == (422, "too_many_rows")
    assert librarian.call("GET", "books/export/").getvalue()


def test_an_old_protocol_that_hides_cuts_is_refused(librarian: Any, library: Library) -> None:
    response = librarian.call("GET", "books/export/", SERVER_PROTOCOL="HTTP/1.0")
    assert (response.status_code, response.json()["code"]) == (426, "http_version")


def test_an_error_before_the_first_part_is_a_problem_and_later_breaks_off(
    librarian: Any,
    library: Library,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(exports, "BATCH_ROWS", 2)
    for number in range(6):
        Sample.objects.create(number=number)

    def fail_at(number: int) -> None:
        def represent(self: Any, instances: Any) -> Any:
            if any(one.number == number for one in instances):
                raise RuntimeError("a secret detail")
            return Reads.represent(self, instances)

        monkeypatch.setattr(SampleResource, "represent", represent)

    quiet = Client(raise_request_exception=False, HTTP_X_TEST_ACTOR=str(librarian.id))
    fail_at(0)
    response = quiet.get(f"{ROOT}slow-samples/export/")
    assert (response.status_code, response.json()["code"]) == (500, "internal_error")
    fail_at(4)
    stream = quiet.get(f"{ROOT}slow-samples/export/")
    assert stream.status_code == 200
    with caplog.at_level(logging.ERROR), pytest.raises(RuntimeError):
        stream.getvalue()
    assert "export broken off" in caplog.text


def test_no_more_run_at_once_than_there_are_places(librarian: Any, library: Library) -> None:
    library.book()
    with ExitStack() as held:
        for _ in range(export_streams.MOST_AT_ONCE):
            held.enter_context(export_streams._place())
        refused = librarian.call("GET", "books/export/")
        assert (refused.status_code, refused.json()["code"]) == (503, "exports_busy")
        assert refused["Retry-After"]
        assert librarian.call("HEAD", "books/export/").status_code == 200
    for _ in range(export_streams.MOST_AT_ONCE + 1):  # whoever hangs up gives the place back
        hang_up(librarian.call("GET", "books/export/"))
    assert b"A book" in librarian.call("GET", "books/export/").getvalue()


def test_a_client_that_reads_nothing_is_not_waited_for(librarian: Any, library: Library) -> None:
    library.book()
    response = librarian.call("GET", "books/export/")
    with connection.cursor() as cursor:
        cursor.execute("SHOW idle_in_transaction_session_timeout")
        assert cursor.fetchone()[0] == "1min"
    hang_up(response)


def test_what_one_may_not_read_is_no_column_or_empty(
    client_of: Any, source: Any, library: Library
) -> None:
    client = client_of("view_member", "export_member")
    for keeper in (client.id, None):
        Member.objects.create(
            branch=library.north, name=str(keeper), card=str(keeper)[:8], note="n", keeper=keeper
        )
    for name in ("members", "slow-members"):
        rows = exported(client, f"{name}/export/")
        assert rows == listed(client, f"{name}/")
        assert sorted("note" in row for row in rows) == [False, True]
        content = client.call("GET", f"{name}/export/").getvalue().decode()
        found = list(csv.DictReader(io.StringIO(content, newline="")))
        assert sorted(row["note"] for row in found) == ["", "n"]
        assert "card" not in found[0]
    assert codes(client.call("GET", "members/export/?fields=card")) == {"fields": "unknown_field"}
    refused = client.call("GET", "members/export/?ordering=note")
    assert codes(refused) == {"ordering": "unknown_ordering"}


def test_shelves_of_a_page_and_of_a_file_are_alike(librarian: Any, library: Library) -> None:
    assert Shelf.objects.count() == 2
    rows = list(
        csv.DictReader(
            io.StringIO(librarian.call("GET", "shelves/export/").getvalue().decode(), newline="")
        )
    )
    assert [row["name"] for row in rows] == [row["name"] for row in listed(librarian, "shelves/")]
