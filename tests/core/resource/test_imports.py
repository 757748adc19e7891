"""Imports: each row as the call for it alone would be, with a report and the failed rows to repair."""

from __future__ import annotations

import base64
import io
import json
import uuid
import zipfile
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from platform_core.access import Actor
from platform_core.exchange.errors import TooMuchAtOnce
from platform_core.resource import import_rows, uploads
from platform_core.resource.uploads import Upload
from tests.core.resource.conftest import ROOT, Library, codes
from tests.core.resource.testapp.models import Book, Sample
from tests.core.resource.testapp.resources import BookResource

pytestmark = pytest.mark.django_db
CSV = "text/csv"


def send(client: Any, content: Any, query: str = "", *, kind: str = CSV, **extra: Any) -> Any:
    body = content.encode() if isinstance(content, str) else content
    return client.generic("POST", f"{ROOT}books/import/{query}", body, content_type=kind, **extra)


def report(response: Any, **counts: int) -> list[dict[str, Any]]:
    """Return the results of a report that counts so many rows of each status, and none of others."""
    assert response.status_code == 200, response.content
    body = response.json()
    found = {name: body[name] for name in ("created", "updated", "unchanged", "failed")}
    assert found == {**dict.fromkeys(found, 0), **counts}, body
    assert body["rows"] == sum(found.values()) == len(body["results"])
    assert (body["failed_rows"] is None) == (not found["failed"])
    results: list[dict[str, Any]] = body["results"]
    return results


def failed_file(response: Any) -> bytes:
    found = response.json()["failed_rows"] or response.json()["results"]
    return base64.b64decode(found["content_base64"])


def lines(library: Library, *rows: str, heading: str = "title,isbn,shelf,pages") -> str:
    """Return CSV; a row may write N and S for the shelves."""
    text = "\r\n".join([heading, *rows])
    return text.replace("<N>", str(library.north_shelf.pk)).replace(
        "<S>", str(library.south_shelf.pk)
    )


def test_rows_are_created_with_history_as_by_single_calls(librarian: Any, library: Library) -> None:
    content = lines(library, "'=1,1,<N>,3", "'tis,2,<S>,4", heading="title,isbn,shelf,pages")
    results = report(send(librarian, content), created=2)
    assert [(one["row"], one["line"]) for one in results] == [(1, 2), (2, 3)]
    assert list(Book.objects.order_by("isbn").values_list("title", "pages")) == [
        ("=1", 3),
        ("'tis", 4),
    ]
    assert {one["id"] for one in results} == {
        str(pk) for pk in Book.objects.values_list("pk", flat=True)
    }
    assert set(Book.history.values_list("actor_id", flat=True)) == {librarian.id}
    assert Book.history.count() == 2


def test_each_failure_names_row_column_and_reason_and_comes_back_as_a_file(
    librarian: Any, library: Library
) -> None:
    content = lines(
        library,
        "good,1,<N>,3",
        "bad,2,<N>,many",
        "low,3,<N>,0",
        "twice,1,<N>,1",
        "lost,5,nowhere,1",
        "'=2+2,6,<N>,",
        "short,7",
        heading="Title,isbn,shelf,pages",
    )
    response = send(librarian, content, '?mapping={"Title":"title"}')
    results = report(response, created=2, failed=5)
    told = {
        one["row"]: [
            (error["column"], error["code"])
            for error in one["problem"]["errors"]
            if "column" in error
        ]
        for one in results
        if one["status"] == "failed"
    }
    assert told == {
        2: [("pages", "invalid")],
        3: [("pages", "constraint")],
        4: [("isbn", "not_unique")],
        5: [("shelf", "incorrect_type")],
        7: [],
    }
    assert results[6]["problem"]["errors"][0]["code"] == "ragged_row"
    text = failed_file(response).decode()
    assert text.splitlines()[0] == "Title,isbn,shelf,pages,_problem"
    assert [line.split(",")[0] for line in text.splitlines()[1:]] == [
        *("bad", "low", "twice", "lost", "short"),
    ]
    assert "pages: A valid integer is required." in text
    repaired = text.replace("many", "1").replace(",0,", ",2,").replace("twice,1", "twice,4")
    again = send(librarian, repaired, '?mapping={"Title":"title"}')
    assert {one["row"] for one in report(again, created=3, failed=2) if "problem" in one} == {4, 5}


def test_a_file_of_failures_runs_nothing_either(librarian: Any, library: Library) -> None:
    content = lines(library, "=cmd(),1,<N>,many")
    text = failed_file(send(librarian, content)).decode()
    assert text.splitlines()[1].startswith("'=cmd(),")


@pytest.mark.parametrize("name", ["csv", "xlsx", "jsonl"])
def test_what_was_exported_comes_back_unchanged(
    librarian: Any, library: Library, name: str
) -> None:
    for title in ("=1", "'=1", "plain", "line\r\nline", '"q";,'):
        library.book(title, subtitle=title, published_on="2026-01-02")
    content = librarian.call("GET", f"books/export/?format={name}").getvalue()
    kind = uploads.FORMATS[name].media_type
    before = list(Book.objects.order_by("pk").values())
    report(send(librarian, content, "?mode=update", kind=kind), unchanged=5)
    report(send(librarian, content, "?mode=upsert&key=isbn", kind=kind), unchanged=5)
    assert list(Book.objects.order_by("pk").values()) == before
    keep = "title,subtitle,shelf,sequel_to,isbn,pages,price,published_on,grade"
    content = librarian.call("GET", f"books/export/?format={name}&fields={keep}").getvalue()
    Book.objects.all().delete()
    report(send(librarian, content, kind=kind), created=5)
    assert [
        {key: row[key] for key in ("title", "subtitle", "isbn", "price", "published_on")}
        for row in Book.objects.order_by("isbn").values()
    ] == [
        {key: row[key] for key in ("title", "subtitle", "isbn", "price", "published_on")}
        for row in sorted(before, key=lambda one: one["isbn"])
    ]


def test_a_sample_of_every_kind_comes_back_unchanged(librarian: Any, library: Library) -> None:
    values: dict[str, Any] = {
        "number": -1,
        "big": 2**60,
        "ratio": -0.1,
        "price": "-1.2345",
        "yes": False,
        "day": "2026-01-02",
        "moment": "2026-01-02T03:04:05.678901Z",
        "time": "03:04:05.000006",
        "span": "-1 02:03:04",
        "address": "::1",
        "key": uuid.uuid4(),
        "data": {"a": ["=1", None, 1.5]},
        "grade": 2,
        "text": "'",
    }
    Sample.objects.create(branch=library.north, **{**values, "span": None})
    Sample.objects.create(text="\x01_x0041_", data="=text")
    for name in ("csv", "xlsx", "jsonl"):
        content = librarian.call("GET", f"samples/export/?format={name}").getvalue()
        response = librarian.generic(
            "POST",
            f"{ROOT}samples/import/?mode=update",
            content,
            content_type=uploads.FORMATS[name].media_type,
        )
        report(response, unchanged=2)


def test_existing_rows_are_changed_and_others_made(librarian: Any, library: Library) -> None:
    known = library.book("old", isbn="1")
    same = library.book("same", isbn="2")
    content = lines(library, "new,1,<N>,1", "same,2,<N>,1", "more,3,<N>,1")
    missing = send(librarian, content, "?mode=update&key=isbn")
    results = report(missing, updated=1, unchanged=1, failed=1)
    assert results[2]["problem"]["errors"][0]["code"] == "not_found"
    report(send(librarian, content, "?mode=upsert&key=isbn"), unchanged=2, created=1)
    known.refresh_from_db()
    same.refresh_from_db()
    assert (known.title, known.version, same.version) == ("new", 2, 1)


def test_rows_are_found_by_id_and_the_version_that_was_seen(
    librarian: Any, library: Library
) -> None:
    book, moved = library.book("a"), library.book("b")
    moved.save()
    rows = [
        f"{book.pk},1,new",
        f"{moved.pk},1,new",
        f"{uuid.uuid4()},,new",
        "x,,new",
        f"{book.pk},,new",
    ]
    response = send(librarian, lines(library, *rows, heading="id,version,title"), "?mode=update")
    results = report(response, updated=1, failed=4)
    assert results[1]["problem"]["code"] == "precondition_failed"
    assert [one["problem"]["errors"][0]["code"] for one in results[2:]] == [
        *("not_found", "invalid", "repeated_key"),
    ]


def test_empty_cells_are_null_or_empty_and_never_ignored(librarian: Any, library: Library) -> None:
    book = library.book("a", subtitle="s", published_on="2026-01-02", pages=7)
    heading = "id,subtitle,published_on"
    report(
        send(librarian, lines(library, f"{book.pk},,", heading=heading), "?mode=update"), updated=1
    )
    book.refresh_from_db()
    assert (book.subtitle, book.published_on) == ("", None)
    refused = send(librarian, lines(library, f"{book.pk},", heading="id,pages"), "?mode=update")
    assert report(refused, failed=1)[0]["problem"]["errors"][0]["code"] == "null"
    report(send(librarian, lines(library, "b,1,<N>,")), created=1)
    assert Book.objects.get(isbn="1").pages == 1


def test_what_cannot_be_set_may_only_repeat_what_it_is(librarian: Any, library: Library) -> None:
    book = library.book("a")
    for value, counts in (("false", {"updated": 1}), ("true", {"failed": 1})):
        content = lines(library, f"{book.pk},new {value},{value}", heading="id,title,is_lent")
        report(send(librarian, content, "?mode=update"), **counts)
    created = send(
        librarian, lines(library, "b,1,<N>,1,true", heading="title,isbn,shelf,pages,is_lent")
    )
    assert report(created, failed=1)[0]["problem"]["errors"][0]["code"] == "read_only"
    skipped = send(
        librarian,
        lines(library, "b,1,<N>,1,true", heading="title,isbn,shelf,pages,is_lent"),
        '?mapping={"is_lent":null}',
    )
    report(skipped, created=1)


def test_all_or_nothing_when_the_client_says_so(librarian: Any, library: Library) -> None:
    content = lines(library, "a,1,<N>,1", "b,2,<N>,0")
    refused = send(librarian, content, HTTP_PREFER="handling=strict")
    assert (refused.status_code, refused.json()["code"]) == (422, "import_failed")
    assert [one["row"] for one in refused.json()["results"]] == [2]
    assert b"b,2," in base64.b64decode(refused.json()["failed_rows"]["content_base64"])
    assert not Book.all_objects.exists()
    done = send(librarian, lines(library, "a,1,<N>,1"), HTTP_PREFER="handling=strict")
    assert done["Preference-Applied"] == "handling=strict"


def test_a_trial_changes_nothing_and_a_key_makes_it_safe_to_repeat(
    librarian: Any, library: Library
) -> None:
    content = lines(library, "a,1,<N>,1")
    tried = send(librarian, content, "?dry_run=true")
    report(tried, created=1)
    assert tried["Dry-Run"] == "true"
    assert not Book.all_objects.exists()
    first, second = (form(librarian, content, HTTP_IDEMPOTENCY_KEY="k") for _ in range(2))
    assert first.content == second.content
    assert second["Idempotency-Replayed"] == "true"
    assert Book.objects.count() == 1
    other = form(librarian, lines(library, "b,2,<N>,1"), HTTP_IDEMPOTENCY_KEY="k")
    assert other.json()["code"] == "idempotency_key_reused"


def form(client: Any, content: Any, filename: str = "books.csv", **fields: Any) -> Any:
    """Send a form with a file; upper-case ``fields`` are headers."""
    body = content.encode() if isinstance(content, str) else content
    headers = {name: value for name, value in fields.items() if name.isupper()}
    values = {name: value for name, value in fields.items() if not name.isupper()}
    file = SimpleUploadedFile(filename, body, content_type="application/octet-stream")
    return client.post(f"{ROOT}books/import/", {"file": file, **values}, **headers)


def test_a_form_brings_a_file_with_its_options(librarian: Any, library: Library) -> None:
    content = lines(library, "a;1;<N>", heading="Titel;isbn;Regal")
    mapping = json.dumps({"Titel": "title", "Regal": "shelf"})
    report(form(librarian, content, mapping=mapping), created=1)
    update = form(librarian, content, mapping=mapping, mode="update", key="isbn")
    report(update, unchanged=1)
    assert codes(form(librarian, content, colour="red")) == {"colour": "unknown_parameter"}
    assert codes(form(librarian, content, mode="destroy")) == {"mode": "unknown_value"}
    assert form(librarian, content, "books.pdf").status_code == 415
    report(form(librarian, content, "books.pdf", format="csv", mapping=mapping), failed=1)
    none = librarian.post(f"{ROOT}books/import/", {"mode": "create"})
    assert codes(none) == {"file": "file_expected"}
    broken = librarian.generic(
        "POST", f"{ROOT}books/import/", b"x", content_type="multipart/form-data; boundary=\x00"
    )
    assert broken.status_code in (400, 422)


def test_a_workbook_of_a_spreadsheet_is_taken(librarian: Any, library: Library) -> None:
    book = openpyxl.Workbook()
    book.active.append(["title", "isbn", "shelf", "pages"])
    book.active.append([2026, 1, str(library.north_shelf.pk), 3])
    book.active.append(["=A2", 2, str(library.north_shelf.pk), 3])
    target = io.BytesIO()
    book.save(target)
    response = form(librarian, target.getvalue(), "books.xlsx")
    results = report(response, created=1, failed=1)
    assert results[1]["problem"]["errors"][0] == {
        "pointer": "/title",
        "code": "formula",
        "detail": "The cell has a formula; put its value there.",
        "column": "title",
    }
    assert Book.objects.get().title == "2026"
    failed = openpyxl.load_workbook(io.BytesIO(failed_file(response))).active
    assert [cell.value for cell in list(failed.rows)[1]][:2] == ["'=A2", 2]


def test_lines_of_json_are_as_bodies_of_calls(librarian: Any, library: Library) -> None:
    shelf = str(library.north_shelf.pk)
    rows = [
        {"title": "=1", "isbn": "1", "shelf": shelf},
        {"title": "b", "isbn": "2", "shelf": shelf, "pages": "x"},
    ]
    content = "\n".join([*map(json.dumps, rows), "[]"])
    response = send(librarian, content, kind="application/x-ndjson")
    report(response, created=1, failed=2)
    assert Book.objects.get().title == "=1"
    failed = [json.loads(line) for line in failed_file(response).splitlines()]
    assert failed[0]["_problem"] == "pages: A valid integer is required."
    assert failed[1]["line"] == "[]"


@pytest.mark.parametrize(
    ("heading", "query", "code", "told"),
    [
        ("title,colour,isbn", "", "unknown_column", "colour"),
        ("title,secret", "", "unknown_column", "secret"),
        ("title", '?mapping={"Titel":"title"}', "unknown_column", "Titel"),
        ("title", '?mapping={"title":"colour"}', "unknown_column", "title"),
        ("a,b", '?mapping={"a":"title","b":"title"}', "repeated_column", "title"),
        ("title,title", "", "repeated_column", "title"),
        ("title", "?mode=update", "missing_key_column", "id"),
    ],
)
def test_columns_that_nobody_knows_are_refused_by_name(
    librarian: Any, library: Library, heading: str, query: str, code: str, told: str
) -> None:
    response = send(librarian, f"{heading}\r\n1,2,3\r\n"[: len(heading) + 3 + 5], query)
    assert (response.status_code, response.json()["code"]) == (422, code)
    assert told in response.json()["detail"]
    assert "title" in response.json()["detail"] or code == "missing_key_column"


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("?mode=create&key=isbn", "key"),
        ("?mode=update&key=title", "key"),
        ("?mode=replace", "mode"),
        ("?format=pdf", "format"),
        ("?delimiter=pipe", "delimiter"),
        ("?mapping=[]", "mapping"),
        ('?mapping={"a":1}', "mapping"),
        ("?mapping={", "mapping"),
        ("?limit=3", "limit"),
        ("?dry_run=maybe", "dry_run"),
    ],
)
def test_options_that_do_not_fit_are_refused_by_name(
    librarian: Any, library: Library, query: str, parameter: str
) -> None:
    response = send(librarian, lines(library, "a,1,<N>,1"), query)
    assert response.status_code == 422
    assert set(codes(response)) == {parameter}


def test_there_are_limits(
    librarian: Any,
    library: Library,
    monkeypatch: pytest.MonkeyPatch,
    settings: Any,
    tmp_path: Path,
) -> None:
    settings.PLATFORM_DATA_DIR = tmp_path
    many = lines(library, *(f"a,{number},<N>,1" for number in range(501)))
    for query, is_tried in (("", False), ("?dry_run=true", True)):
        response = send(librarian, many, query)
        assert (response.status_code, response.json()["dry_run"]) == (202, is_tried)
    monkeypatch.setattr(uploads, "MOST_BYTES", 100)
    assert send(librarian, "x" * 101).status_code == 413
    assert form(librarian, "x" * 101).status_code == 413
    assert send(librarian, "x" * 101, CONTENT_LENGTH="99999999").status_code == 413
    assert send(librarian, "{}", kind="application/json").status_code == 415
    assert send(librarian, "", CONTENT_TYPE=CSV).json()["code"] == "empty_file"


NUL = "_x0000_"


def workbook(*rows: list[Any]) -> bytes:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    target = io.BytesIO()
    book.save(target)
    return target.getvalue()


def edited(content: bytes, before: bytes, text: bytes) -> bytes:
    """Return a workbook with ``text`` before each ``before`` in its parts."""
    source, target = zipfile.ZipFile(io.BytesIO(content)), io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in source.namelist():
            archive.writestr(name, source.read(name).replace(before, text + before))
    return target.getvalue()


@pytest.mark.parametrize(
    ("content", "filename"),
    [
        ("isbn,title\n\0,x\n", "books.csv"),
        ('{"isbn": "\\u0000", "title": "x"}', "books.jsonl"),
        (workbook(["isbn", "title"], [NUL, "x"]), "books.xlsx"),
    ],
)
def test_a_key_that_no_row_can_have_is_refused_with_its_row(
    librarian: Any, content: Any, filename: str
) -> None:
    response = form(librarian, content, filename, mode="upsert", key="isbn")
    (result,) = report(response, failed=1)
    assert [one["code"] for one in result["problem"]["errors"]] == ["invalid"]


@pytest.mark.parametrize("text", ["x" * 40_000, "=" + "x" * 32_766])
def test_a_text_that_no_cell_holds_comes_back_cut(librarian: Any, text: str) -> None:
    # Openpyxl itself cuts what is too long for a cell.
    content = edited(workbook(["title"], ["END"]), b"END", text.encode())
    response = form(librarian, content, "books.xlsx")
    report(response, failed=1)
    failed = openpyxl.load_workbook(io.BytesIO(failed_file(response))).active
    shown = str(list(failed.rows)[1][0].value).removeprefix("'")
    assert len(shown) == 10_000
    assert text.startswith(shown)


def test_a_deep_line_comes_back_as_it_was(librarian: Any) -> None:
    deep = '{"title":' + "[" * 500 + "]" * 500 + "}"
    response = send(librarian, deep, kind="application/x-ndjson")
    (result,) = report(response, failed=1)
    assert [one["code"] for one in result["problem"]["errors"]] == ["too_deep"]
    assert json.loads(failed_file(response))["line"] == deep


def test_a_number_that_could_not_be_shown_again_poisons_no_list(librarian: Any) -> None:
    for content, filename in (
        (workbook(["data"], [1e308]), "samples.xlsx"),
        ('{"data": {"a": [1e300]}}', "samples.jsonl"),
        ('data\n"[1e22]"\n', "samples.csv"),
    ):
        response = librarian.post(
            f"{ROOT}samples/import/", {"file": SimpleUploadedFile(filename, _bytes(content))}
        )
        (result,) = report(response, failed=1)
        assert [one["code"] for one in result["problem"]["errors"]] == ["out_of_range"]
    assert librarian.call("GET", "samples/").json()["data"] == []


def _bytes(content: Any) -> bytes:
    return content.encode() if isinstance(content, str) else content


def test_a_workbook_that_takes_long_to_read_is_left_to_a_worker(librarian: Any) -> None:
    content = edited(workbook(["title"], ["x"]), b"</sheetData>", b"<row><c/></row>" * 130_000)
    assert len(content) < 20_000
    response = form(librarian, content, "books.xlsx")
    assert (response.status_code, response.json()["kind"]) == (202, "resource_testapp.books.import")
    tried = librarian.post(
        f"{ROOT}books/import/?dry_run=true", {"file": SimpleUploadedFile("b.xlsx", content)}
    )
    assert (tried.status_code, tried.json()["dry_run"]) == (202, True)


def test_another_call_that_reads_a_long_file_starts_no_import(
    librarian: Any, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(self: Any, serializer: Any) -> Any:
        raise TooMuchAtOnce("More than is read at once.")

    monkeypatch.setattr(BookResource, "unsaved_object", read)
    monkeypatch.setattr("platform_core.resource.writes.decoder_of", lambda _cls: None)
    body = {"title": "a", "isbn": "1", "shelf": str(library.north_shelf.pk)}
    tried = librarian.call("POST", "books/?dry_run=true", body)
    assert (tried.status_code, tried.json()["code"]) == (413, "too_large")


def test_import_add_and_change_are_each_asked_for(
    source: Any, client_of: Any, anonymous: Any, library: Library
) -> None:
    content = lines(library, "a,1,<N>,1", "b,2,<S>,1")
    assert send(anonymous, content).status_code == 401
    assert send(client_of("view_book", "add_book", "view_shelf"), content).status_code == 403
    without_add = client_of("view_book", "import_book", "view_shelf")
    assert [one["problem"]["status"] for one in report(send(without_add, content), failed=2)] == [
        403,
        403,
    ]
    partly = client_of("view_book", "add_book", "change_book", "view_shelf")
    source.grant(partly.id, "import_book", units=[library.north.pk])
    results = report(send(partly, content), created=1, failed=1)
    assert results[1]["problem"]["status"] == 403
    assert Book.objects.count() == 1
    theirs = library.book("t", isbn="3", shelf=library.south_shelf)
    change = lines(library, "x,3,<S>,1")
    assert (
        report(send(partly, change, "?mode=update&key=isbn"), failed=1)[0]["problem"]["status"]
        == 403
    )
    northern = client_of(
        *("view_book", "change_book", "import_book", "add_book", "view_shelf"),
        units=[library.north.pk],
    )
    unseen = report(send(northern, change, "?mode=update&key=isbn"), failed=1)
    assert unseen[0]["problem"]["errors"][0]["code"] == "not_found"
    moved = lines(library, "a,1,<S>,1")
    assert report(send(northern, moved, "?mode=update&key=isbn"), failed=1)
    theirs.refresh_from_db()
    assert theirs.title == "t"
    assert Book.objects.get(isbn="1").shelf == library.north_shelf


def test_the_work_can_be_done_apart_from_a_request_and_tells_how_far_it_is(
    librarian: Any, library: Library, rf: Any
) -> None:
    from rest_framework.request import Request

    view = BookResource(slug="resource_testapp")
    view.request = Request(rf.post("/"))
    view.actor = Actor(librarian.id, "user")
    view.action = "import"
    content = lines(library, "a,1,<N>,1", "b,2,<N>,0").encode()
    steps: list[tuple[int, int]] = []
    done = import_rows.run_import(
        view,
        Upload(content=content, format="csv"),
        progress=lambda *told: steps.append(told),
    )
    assert steps == [(1, 2), (2, 2)]
    assert done.counts() == {"created": 1, "updated": 0, "unchanged": 0, "failed": 1}
