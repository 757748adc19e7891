"""The work of an import, apart from the request that asks for it: row by row, each in a savepoint of its own."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, Literal

import orjson
from django.core.exceptions import FieldDoesNotExist
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _
from rest_framework.exceptions import ErrorDetail, ValidationError

from platform_core.errors import Invalid
from platform_core.exchange.cells import Untaken, restore
from platform_core.exchange.reading import PROBLEM_COLUMN, SourceRow, open_table
from platform_core.exchange.xlsx_inspecting import Limits
from platform_core.exchange.xlsx_writing import fits
from platform_core.observability.redaction import carrying
from platform_core.resource.bulk import attempt
from platform_core.resource.import_targets import Targets, find_existing
from platform_core.resource.problems import QueryRefused
from platform_core.resource.rendering import dumps
from platform_core.resource.uploads import MOST_UNPACKED, Upload

if TYPE_CHECKING:
    from platform_core.resource.base import Resource
    from platform_core.resource.serializers import ModelSerializer

MOST_ROWS: Final = 500
"""Rows that are written while the client waits."""
MOST_IN_BACKGROUND: Final = 100_000
MOST_ELEMENTS: Final = 250_000
"""Elements of a workbook that are read while the client waits: some ten for each cell, or for a second of work."""
MOST_ELEMENTS_IN_BACKGROUND: Final = 12_000_000
_ELEMENTS_A_BYTE: Final = 20
"""Nothing that people make packs more of them into a byte of its file; a bomb has hundreds."""
_MOST_SHOWN: Final = 10_000
"""Characters that are left of a text which is too long for a cell."""


class TooManyRows(Invalid):
    """The file has more rows than are written in one go."""

    code = "too_many_rows"


Status = Literal["created", "updated", "unchanged", "failed"]
Progress = Callable[[int, int], None]
"""Called after each row with the number of rows that are done, and of all."""


@dataclass(slots=True)
class Report:
    """What became of each row; ``failures`` are the cells of those that failed, with what was wrong."""

    headings: Sequence[str]
    format: str
    delimiter: str
    results: list[dict[str, Any]] = field(default_factory=list)
    failures: list[dict[str, Any]] = field(default_factory=list)

    def counts(self) -> dict[str, int]:
        """Return how many rows ended in which way."""
        found = Counter(one["status"] for one in self.results)
        return {status: found[status] for status in ("created", "updated", "unchanged", "failed")}


def run_import(
    view: Resource,
    upload: Upload,
    *,
    progress: Progress | None = None,
    most_rows: int = MOST_ROWS,
    most_elements: int = MOST_ELEMENTS,
) -> Report:
    """Write the rows of ``upload`` as the actor of ``view``, inside the transaction that is open.

    A row that cannot be written is undone alone and reported. Raises ``Invalid`` for what is wrong with the file, and
    ``QueryRefused`` for options that do not fit the resource.
    """
    packed = MOST_ELEMENTS + _ELEMENTS_A_BYTE * len(upload.content)
    table = open_table(
        upload.content,
        upload.format,
        delimiter=upload.delimiter,
        sheet=upload.sheet,
        limits=Limits(unpacked=MOST_UNPACKED, elements=min(most_elements, packed)),
    )
    _require_offered(view, upload)
    rows = list(islice(table.rows, most_rows + 1))
    if len(rows) > most_rows:
        message = _("The file has more than {most} rows. Split it.")
        raise TooManyRows(format_lazy(message, most=most_rows))
    if not rows:
        raise Invalid(_("The file has no rows."), code="empty_file")
    headings = table.headings or _names_in(rows)
    targets = Targets.of(view, upload, headings)
    view.charge_items(len(rows))
    existing = find_existing(view, upload, targets, rows)
    report = Report(headings, table.format, table.delimiter)
    for done, row in enumerate(rows, 1):
        _write(view, upload, targets, existing, row, report)
        if progress is not None:
            progress(done, len(rows))
    return report


def _require_offered(view: Resource, upload: Upload) -> None:
    needed = {"create": {"create"}, "update": {"partial_update"}}
    wanted = needed.get(upload.mode, {"create", "partial_update"})
    if not wanted <= set(view.actions):
        raise QueryRefused("mode", _("Rows of this kind cannot be written this way."))
    if upload.key not in ("id", *view.import_keys):
        keys = ", ".join(("id", *view.import_keys))
        message = format_lazy(_("Rows are found by one of: {keys}."), keys=keys)
        raise QueryRefused("key", message, "unknown_key")


def _names_in(rows: Sequence[SourceRow]) -> Sequence[str]:
    return list(dict.fromkeys(name for row in rows if not row.refusal for name in row.cells))


def _write(
    view: Resource,
    upload: Upload,
    targets: Targets,
    existing: Mapping[int, Any],
    row: SourceRow,
    report: Report,
) -> None:
    told: dict[str, Any] = {"row": row.number, "line": row.line}
    view.kwargs = {}
    with carrying(lambda: [row.cells]):
        done, refusal = attempt(view, lambda: _written(view, upload, targets, existing, row))
    if done is not None:
        status, pk = done
        if view.trail is not None and status != "unchanged":
            view.trail.done(pk, status=status)
        report.results.append({**told, "status": status, "id": pk})
        return
    assert refusal is not None
    problem = orjson.loads(refusal.content)
    for error in problem.get("errors", ()):
        heading = targets.heading_at(error.get("pointer", ""))
        if heading:
            error["column"] = heading
    report.results.append({**told, "status": "failed", "problem": problem})
    shown = {**_shown(row, report), PROBLEM_COLUMN: _in_words(problem)}
    report.failures.append(_fitting(shown) if report.format == "xlsx" else shown)


def _written(
    view: Resource, upload: Upload, targets: Targets, existing: Mapping[int, Any], row: SourceRow
) -> tuple[Status, Any]:
    """Write one row; return what became of it and its key."""
    if row.refusal is not None:
        raise ValidationError(ErrorDetail(str(row.refusal.message), row.refusal.code))
    found = None if upload.mode == "create" else existing.get(row.number)
    if isinstance(found, ValidationError):
        raise found
    if found is None and upload.mode == "update":
        raise ValidationError(
            {upload.key: ErrorDetail(str(_("There is no such thing.")), "not_found")}
        )
    view.if_match = None
    if found is None:
        view.body = targets.body_of(row)
        pk = view.created().pk
        view.verified("add", pk, view.rules_of_written())
        view.verified("import", pk)
        return "created", pk
    view.kwargs = {"id": found}
    view.if_match = targets.seen_version(row)
    obj = view.locked(view.visible(), "change")
    view.require("import", obj)
    view.body = targets.body_of(row, _present(view, obj))
    serializer = view.valid_change(obj, partial=True)
    if not _differs(view, serializer):
        return "unchanged", obj.pk
    view.changed(serializer)
    view.verified("import", obj.pk)
    return "updated", obj.pk


def _present(view: Resource, obj: Any) -> Mapping[str, Any]:
    """Return what the actor may know of ``obj``."""
    found = orjson.loads(dumps(view.get_serializer(obj).data))
    return {name: found[name] for name in found if view.accessible.is_readable_everywhere(name)}


def _differs(view: Resource, serializer: ModelSerializer) -> bool:
    """Tell whether the validated values would change the row; what cannot be compared, or be known, does."""
    row: Any = serializer.instance
    hidden = {
        field.source
        for name, field in serializer.fields.items()
        if not view.accessible.is_readable_everywhere(name)
    }
    return any(
        name in hidden or not _is_same(row, name, new)
        for name, new in serializer.validated_data.items()
    )


def _is_same(row: Any, name: str, new: Any) -> bool:
    try:
        known: Any = row._meta.get_field(name)
    except FieldDoesNotExist:
        return False
    if known.many_to_many:
        return {one.pk for one in getattr(row, name).all()} == {one.pk for one in new}
    if known.is_relation and known.concrete:
        return bool(getattr(row, known.attname) == (None if new is None else new.pk))
    return bool(known.concrete and getattr(row, known.attname) == new)


def _shown(row: SourceRow, report: Report) -> dict[str, Any]:
    """Return the cells of a row to be written anew: what a spreadsheet would run is a text from now on."""
    if report.format == "jsonl":
        return {name: value for name, value in row.cells.items() if name != PROBLEM_COLUMN}
    return {name: _plain(value) for name, value in row.cells.items() if name != PROBLEM_COLUMN}


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return restore(value, nullable=True) if value else None
    if isinstance(value, dt.datetime):
        return (value.date() if value.time() == dt.time() else value).isoformat()
    return str(value) if isinstance(value, Untaken) else value


def _fitting(shown: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``shown`` with the beginning of each text that no cell can hold: no spreadsheet has written it."""
    return {
        name: value[:_MOST_SHOWN] if isinstance(value, str) and not fits(f"'{value}") else value
        for name, value in shown.items()
    }


def _in_words(problem: Mapping[str, Any]) -> str:
    errors = problem.get("errors") or [problem]
    return "; ".join(
        ": ".join(filter(None, (one.get("column", ""), one["detail"]))) for one in errors
    )
