"""Every format gives back exactly what was written, and no spreadsheet finds a formula in it."""

from __future__ import annotations

import csv
import datetime as dt
import gc
import io
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

import openpyxl
import pytest
from django.utils.translation import override
from hypothesis import given, settings
from hypothesis import strategies as st

from platform_core.exchange.cells import BLANK, Column, as_text, decode, encode, neutralise, restore
from platform_core.exchange.errors import (
    CellRefused,
    CellTooLong,
    TooLarge,
    TooMuchAtOnce,
    Unreadable,
)
from platform_core.exchange.reading import open_table
from platform_core.exchange.writing import writer_of
from platform_core.exchange.xlsx_inspecting import Limits
from platform_core.exchange.xlsx_writing import MOST_CHARACTERS, unescape

COLUMNS = (
    Column("text", "text"),
    Column("nullable", "text", nullable=True),
    Column("whole", "integer"),
    Column("ratio", "float"),
    Column("price", "decimal"),
    Column("data", "json"),
    Column("yes", "boolean"),
    Column("moment", "datetime"),
)
STARTS = "=+-@\t\r\n＝＋－＠"
TEXTS = [
    *(f"{start}1+1" for start in STARTS),
    *("'=1", "''=x", "'tis", "  =1", "\u00a0=1", "'", "''", " lead", "trail "),
    *('a"b,;\t', "line\r\nline\rline\nline", "\x01\x1f\x7f", "_x0041_", "_x005F_x0041_", "<&>]]>"),
    *("\u202eabc", "\ufeffx", "\ufffe\uffff", "𝄞", "N/A", "TRUE", "007", "1e5", "x" * 40_000),
]
LIMITS = Limits(unpacked=10**8, elements=10**6)


@pytest.fixture(autouse=True)
def _in_english() -> Iterator[None]:
    with override("en"):
        yield


def written(name: str, rows: Sequence[Mapping[str, Any]], **options: Any) -> bytes:
    writer = writer_of(name, COLUMNS, **options)
    return writer.begin() + writer.write(rows) + writer.end()


def test_a_workbook_that_is_broken_off_leaves_nothing_open() -> None:
    writer = writer_of("xlsx", COLUMNS)
    writer.begin()
    writer.abandon()
    too_long = writer_of("xlsx", COLUMNS)
    too_long.begin()
    with pytest.raises(CellTooLong):
        too_long.write([{"text": "x" * (MOST_CHARACTERS + 1)}])
    del writer, too_long
    gc.collect()  # a file that is left open complains here, and the run makes that an error


def row_of(text: str) -> dict[str, Any]:
    return {
        "text": text,
        "nullable": text,
        "whole": -5,
        "ratio": -1.5e-7,
        "price": Decimal("-12.50"),
        "data": {"a": [text, 1, None]},
        "yes": True,
        "moment": dt.datetime(2026, 1, 2, 3, 4, 5, 678901, dt.UTC),
    }


def read_back(content: bytes, name: str) -> list[dict[str, Any]]:
    """Return the JSON values; an empty cell of ``text`` is the empty text, any other NULL."""
    found = []
    for row in open_table(content, name, limits=LIMITS).rows:
        values = {one.name: decode(row.cells.get(one.name), one) for one in COLUMNS}
        found.append(
            {
                key: ("" if key == "text" else None) if value is BLANK else value
                for key, value in values.items()
            }
        )
    return found


def as_json(row: Mapping[str, Any]) -> dict[str, Any]:
    return {**row, "price": "-12.50", "moment": "2026-01-02T03:04:05.678901Z"}


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("csv", {}),
        ("csv", {"delimiter": "semicolon"}),
        ("csv", {"delimiter": "tab"}),
        ("xlsx", {}),
    ],
)
def test_what_was_written_is_read(name: str, options: dict[str, str]) -> None:
    texts = [text for text in TEXTS if name == "csv" or len(text) <= MOST_CHARACTERS]
    rows = [row_of(text) for text in [*texts, ""]]
    empty = {one.name: None for one in COLUMNS} | {"text": "", "whole": 10**17, "ratio": 1e300}
    content = written(name, [*rows, empty], **options)
    assert read_back(content, name) == [*map(as_json, rows), empty]


@settings(deadline=None)
@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\x00")), min_size=1))
def test_any_text_comes_back(texts: list[str]) -> None:
    rows = [{"text": "x", "nullable": text} for text in texts]
    for name in ("csv", "xlsx"):
        assert [one["nullable"] for one in read_back(written(name, rows), name)] == texts


@settings(deadline=None)
@given(st.text())
def test_nothing_that_is_neutralised_begins_a_formula(text: str) -> None:
    for nullable in (False, True):
        safe = neutralise(text, nullable=nullable)
        assert not safe.lstrip(" ").startswith(tuple(STARTS))
        assert restore(safe, nullable=nullable) == text


def test_numbers_stay_numbers() -> None:
    content = written("csv", [row_of("x")]).decode()
    assert ",-5,-1.5e-7,-12.50," in content
    cells = list(openpyxl.load_workbook(io.BytesIO(written("xlsx", [row_of("x")]))).active.rows)[1]
    assert [cell.value for cell in cells[2:5]] == [-5, -1.5e-7, "-12.50"]


def test_another_reader_finds_texts_and_no_formula() -> None:
    rows = [row_of(text) for text in TEXTS if len(text) <= MOST_CHARACTERS]
    for row in openpyxl.load_workbook(io.BytesIO(written("xlsx", rows))).active.iter_rows():
        assert all(cell.data_type != "f" for cell in row)
        assert not str(row[0].value).startswith(tuple(STARTS))
    for cells in csv.reader(io.StringIO(written("csv", rows).decode(), newline="")):
        assert not cells[0].startswith(tuple(STARTS))


def test_a_text_too_long_for_a_cell_is_refused_and_never_cut() -> None:
    assert written("xlsx", [{"text": "x" * MOST_CHARACTERS}])
    for text in ("x" * (MOST_CHARACTERS + 1), "𝄞" * (MOST_CHARACTERS // 2 + 1)):
        with pytest.raises(CellTooLong):
            written("xlsx", [{"text": text}])


def test_a_number_that_is_none_is_empty() -> None:
    assert [encode(value, COLUMNS[3]) for value in (float("nan"), float("inf"), None)] == [None] * 3
    assert as_text(None) == ""


@pytest.mark.parametrize("text", ["_xD834_", "_x0_", "plain", "_X0041_"])
def test_what_is_no_character_stays_as_it_is(text: str) -> None:
    assert unescape(text) == text


# Reading what others have made


def rows_of(content: bytes, name: str = "csv", **options: Any) -> list[dict[str, Any]]:
    table = open_table(content, name, limits=LIMITS, **options)
    return [dict(row.cells) for row in table.rows]


@pytest.mark.parametrize(
    "content",
    [
        b"a,b\r\n1,2\r\n",
        b"\xef\xbb\xbfa;b\n1;2\n",
        b'sep=;\r\n"a";"b"\r\n1;2\r\n',
        b"a\tb\n\n1\t2\n\n",
        b'"a";"b,c"\n1;2\n'.replace(b",c", b""),
    ],
)
def test_the_delimiter_is_found_out(content: bytes) -> None:
    assert rows_of(content) == [{"a": "1", "b": "2"}]


def test_a_delimiter_that_is_said_is_believed() -> None:
    assert rows_of(b"a;b,c\n1;2,3\n", delimiter="comma") == [{"a;b": "1;2", "c": "3"}]


def test_rows_tell_their_number_and_line() -> None:
    content = b'a,b\n"one\ntwo",2\n\n3,4\n5\n6,7,8\n'
    rows = list(open_table(content, "csv", limits=LIMITS).rows)
    assert [(row.number, row.line) for row in rows] == [(1, 2), (2, 5), (3, 6), (4, 7)]
    refusals = [row.refusal.code if row.refusal else "" for row in rows]
    assert refusals == ["", "", "ragged_row", "ragged_row"]


@pytest.mark.parametrize(
    ("name", "content", "code", "told"),
    [
        ("csv", b"", "empty_file", ""),
        ("csv", b"\r\n\r\n", "empty_file", ""),
        ("csv", b"a,b,a\n1,2,3\n", "repeated_column", "a"),
        ("csv", b"a,,b\n1,2,3\n", "no_heading", "2"),
        ("csv", b"a,b\n1,2\nM\xfcller,3\n", "wrong_encoding", "Line 3"),
        ("csv", "a,b\n1,2\n".encode("utf-16"), "wrong_encoding", "UTF-16"),
        ("csv", b'a,b\n1,2\n"x"y,3\n', "malformed_csv", "Line 3"),
        ("csv", b'a,b\n"never ends\n1,2\n', "malformed_csv", "Line"),
        ("csv", b",".join(b"c%d" % one for one in range(1001)), "too_many_columns", ""),
        ("jsonl", b"\n\n", "empty_file", ""),
        ("jsonl", b'{"a": "\xff"}\n', "wrong_encoding", "Line 1"),
        ("xlsx", b"no workbook", "malformed_xlsx", ""),
        ("xlsx", b"PK\x03\x04broken", "malformed_xlsx", ""),
    ],
)
def test_a_file_that_cannot_be_read_says_where(
    name: str, content: bytes, code: str, told: str
) -> None:
    with pytest.raises(Unreadable) as refusal:
        rows_of(content, name)
    assert refusal.value.code == code
    assert told in str(refusal.value.message)


def test_a_line_that_is_no_object_is_one_failed_row() -> None:
    content = b'{"a": 1}\n[1]\n{"a":\n{"a": 2}\n"\\ud800"\n'
    rows = list(open_table(content, "jsonl", limits=LIMITS).rows)
    assert [row.refusal is None for row in rows] == [True, False, False, True, False]


def workbook(*rows: Sequence[Any], sheets: int = 1) -> bytes:
    book = openpyxl.Workbook()
    for _more in range(sheets - 1):
        book.create_sheet()
    for row in rows:
        book.worksheets[0].append(row)
    target = io.BytesIO()
    book.save(target)
    return target.getvalue()


def test_cells_of_a_spreadsheet_become_what_their_column_is() -> None:
    moment = dt.datetime(2026, 1, 2, 3, 4, 5)  # noqa: DTZ001  (as spreadsheets keep it)
    content = workbook(["a"], [7], [7.5], [True], [moment], [dt.date(2026, 1, 2)])
    cells = [row["a"] for row in rows_of(content, "xlsx")]
    assert [decode(cell, Column("a", "text")) for cell in cells[:3]] == ["7", "7.5", "true"]
    assert decode(7.0, Column("a", "integer")) == 7
    assert decode(cells[1], Column("a", "decimal")) == "7.5"
    assert decode(cells[3], Column("a", "datetime")) == "2026-01-02T03:04:05Z"
    assert decode(cells[4], Column("a", "date")) == "2026-01-02"


def test_a_formula_is_refused_for_it_has_no_value() -> None:
    cell = rows_of(workbook(["a"], ["=1+1"]), "xlsx")[0]["a"]
    with pytest.raises(CellRefused, match="formula"):
        decode(cell, Column("a", "text"))


def test_words_of_spreadsheets_are_truths() -> None:
    yes = Column("a", "boolean")
    assert [decode(word, yes) for word in ("WAHR", "vrai", "1", "TRUE")] == [True] * 4
    assert [decode(word, yes) for word in ("FALSCH", "faux", "0", "false")] == [False] * 4
    assert decode("perhaps", yes) == "perhaps"


def test_one_of_several_sheets_has_to_be_named() -> None:
    content = workbook(["a"], [1], sheets=2)
    with pytest.raises(Unreadable, match="Sheet1") as refusal:
        rows_of(content, "xlsx")
    assert refusal.value.code == "which_sheet"
    assert rows_of(content, "xlsx", sheet="Sheet") == [{"a": 1}]


def packed(**parts: bytes) -> bytes:
    """Return a workbook with ``parts`` put into it; ``sheet`` is its sheet."""
    source = zipfile.ZipFile(io.BytesIO(workbook(["a"], [1])))
    target = io.BytesIO()
    names = {"sheet": "xl/worksheets/sheet1.xml"}
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in source.namelist():
            if name not in [names.get(one, one) for one in parts]:
                archive.writestr(name, source.read(name))
        for name, content in parts.items():
            archive.writestr(names.get(name, name), content)
    return target.getvalue()


LAUGHS = (
    b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]>'
    b"<worksheet><sheetData><row><c><v>&b;</v></c></row></sheetData></worksheet>"
)


@pytest.mark.parametrize("laughs", [LAUGHS, LAUGHS.decode().encode("utf-16")])
def test_entities_are_refused_before_anything_is_parsed(laughs: bytes) -> None:
    with pytest.raises(Unreadable) as refusal:
        rows_of(packed(sheet=laughs), "xlsx")
    assert refusal.value.code == "entities"


def test_a_workbook_that_unpacks_to_too_much_is_refused() -> None:
    bomb = packed(sheet=b" " * 3_000_000)
    assert len(bomb) < 20_000
    with pytest.raises(TooLarge):
        list(open_table(bomb, "xlsx", limits=Limits(unpacked=2_000_000, elements=10**6)).rows)
    with pytest.raises(TooLarge):
        rows_of(packed(**{f"part{number}": b"" for number in range(1001)}), "xlsx")


BASIS = b"<worksheet><sheetData>%s</sheetData></worksheet>"
BOMBS = {
    "cells of one row": {"sheet": BASIS % (b"<row>%s</row>" % (b"<c/>" * 150_000))},
    "attributes": {"sheet": BASIS % b"<row %s/>" % b" ".join(b"a%d='1'" % n for n in range(150_000))},
    "rows inside a row": {"sheet": BASIS % (b"<row>%s</row>" % (b"<row/>" * 150_000))},
    "beside the rows": {"sheet": b"<worksheet>%s</worksheet>" % (b"<a/>" * 150_000)},
    "pieces of one text": {"xl/sharedStrings.xml": b"<sst><si>%s</si></sst>" % (b"<r/>" * 150_000)},
    "texts that are none": {"xl/sharedStrings.xml": b"<sst>%s</sst>" % (b"<x><si/></x>" * 75_000)},
    "styles": {"xl/styles.xml": b"<styleSheet>%s</styleSheet>" % (b"<xf/>" * 150_000)},
    "whatever it is called": {"picture.png": b"<worksheet>%s</worksheet>" % (b"<a/>" * 150_000)},
    "one endless tag": {"xl/styles.xml": b"<styleSheet a='%s'/>" % (b"x" * 2_000_000)},
}  # fmt: skip


@pytest.mark.parametrize("name", BOMBS)
def test_what_a_library_would_hold_all_at_once_is_refused_before_it_does(name: str) -> None:
    with pytest.raises(TooLarge) as refusal:
        rows_of(packed(**BOMBS[name]), "xlsx")
    assert not isinstance(refusal.value, TooMuchAtOnce)


def test_a_workbook_of_many_cells_is_left_to_whoever_has_time() -> None:
    many = packed(sheet=BASIS % (b"<row><c/></row>" * 3_000), **{"xl/drawings/vml.vml": b"<br>&"})
    few = Limits(unpacked=10**8, elements=5_000)
    with pytest.raises(TooMuchAtOnce):
        list(open_table(many, "xlsx", limits=few).rows)
    with pytest.raises(Unreadable, match="no rows"):
        open_table(many, "xlsx", limits=LIMITS)


def test_a_heading_without_end_is_none() -> None:
    with pytest.raises(Unreadable) as refusal:
        rows_of(b"x" * 2_000, "csv")
    assert refusal.value.code == "long_heading"


def test_a_line_that_could_not_be_written_again_is_refused_alone() -> None:
    deep = b'{"a":' + b"[" * 300 + b"]" * 300 + b"}"
    wide = b'{"a":[' + b"[]," * 300 + b"1]}"
    rows = list(open_table(b"\n".join([deep, wide]), "jsonl", limits=LIMITS).rows)
    assert [row.refusal.code if row.refusal else "" for row in rows] == ["too_deep", ""]
    assert rows[0].cells["line"] == deep.decode()
    assert len(rows[1].cells["a"]) == 301


def test_cells_far_outside_the_table_are_refused() -> None:
    for place in ("XFD3", "A1048576"):
        book = openpyxl.Workbook()
        book.active["A1"], book.active[place] = "a", "x"
        target = io.BytesIO()
        book.save(target)
        with pytest.raises(Unreadable) as refusal:
            rows_of(target.getvalue(), "xlsx")
        assert refusal.value.code == "stray_cells"
