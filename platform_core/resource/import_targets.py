"""From the columns of a file to the fields of a resource, and from the rows of a file to the rows that they are about."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError as DjangoValidationError
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, ValidationError

from platform_core.errors import Invalid
from platform_core.exchange.cells import BLANK, Column, Untaken, as_text, decode, encode
from platform_core.exchange.errors import CellRefused
from platform_core.exchange.reading import PROBLEM_COLUMN, SourceRow
from platform_core.models.fields import VersionField
from platform_core.resource.columns import column_of
from platform_core.resource.problems import QueryRefused

if TYPE_CHECKING:
    from platform_core.resource.base import Resource
    from platform_core.resource.uploads import Upload

_ABSENT = object()


@dataclass(frozen=True, slots=True)
class Target:
    """A field that a column of the file is about."""

    heading: str
    name: str
    column: Column
    is_writable: bool
    blank: Any
    """What an empty cell means: a value, or ``_ABSENT`` where only an existing row can be given none."""


class Targets:
    """Which column is about which field; ``id`` and the version are not fields to be written."""

    def __init__(self, targets: Sequence[Target], *, key: str, version: str, is_json: bool) -> None:
        self._targets = targets
        self._by_name = {one.name: one for one in targets}
        self._key = key
        self._version = version
        self._is_json = is_json

    @classmethod
    def of(cls, view: Resource, upload: Upload, headings: Sequence[str]) -> Targets:
        """Return the targets of the ``headings``; raises ``Invalid`` that names what is not known."""
        fields = view.get_serializer().fields
        accessible = view.accessible
        known = [name for name in fields if name in {*accessible.readable, *accessible.writable}]
        named = {
            heading: upload.mapping.get(heading, heading)
            for heading in headings
            if heading != PROBLEM_COLUMN
        }
        _require_known(named, upload.mapping, known)
        targets = [
            Target(
                heading,
                name,
                column_of(name, fields[name]),
                name in accessible.writable,
                _blank_of(fields[name]),
            )
            for heading, name in named.items()
            if name is not None
        ]
        key = "" if upload.mode == "create" else upload.key
        if key and not accessible.is_readable_everywhere(key):
            raise QueryRefused("key", _("You may not see what rows are found by."), "unknown_key")
        if key and key not in {one.name for one in targets}:
            message = _("The file has no column for {key}, by which rows are found.")
            raise Invalid(format_lazy(message, key=key), code="missing_key_column")
        version = next(
            (one.name for one in targets if _is_version(view.model, fields[one.name].source)), ""
        )
        return cls(targets, key=key, version=version, is_json=upload.format == "jsonl")

    def heading_at(self, pointer: str) -> str:
        """Return the heading of the column that a JSON Pointer into a row's body leads to; empty if none."""
        name = pointer.removeprefix("/").partition("/")[0]
        found = self._by_name.get(name.replace("~1", "/").replace("~0", "~"))
        return found.heading if found else ""

    def value_of(self, row: SourceRow, name: str) -> Any:
        """Return the JSON value of one field in ``row``, or ``BLANK``; raises ``ValidationError``."""
        target = self._by_name[name]
        return self._value(row, target)

    def seen_version(self, row: SourceRow) -> str | None:
        """Return the state of the row that the file was made from, as ``If-Match`` has it, if it says so."""
        if not self._version:
            return None
        value = self.value_of(row, self._version)
        return None if value in (BLANK, None) else f'"{value}"'

    def body_of(self, row: SourceRow, present: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return the body of the call that writes ``row``; ``present`` is the existing row's JSON object.

        A field that cannot be set may only repeat what it is. Raises ``ValidationError`` for cells that cannot be
        taken, all at once.
        """
        body: dict[str, Any] = {}
        refused: dict[str, Any] = {}
        for target in self._targets:
            if self._is_passed_over(target, row, present):
                continue
            try:
                value = self._value(row, target)
            except ValidationError as error:
                refused[target.name] = error.detail
                continue
            if value is BLANK:
                value = target.blank
                if value is _ABSENT:
                    if present is None:
                        continue
                    value = None
            body[target.name] = value
        if refused:
            raise ValidationError(refused)
        return body

    def _is_passed_over(
        self, target: Target, row: SourceRow, present: Mapping[str, Any] | None
    ) -> bool:
        cell = row.cells.get(target.heading, BLANK)
        if cell is BLANK or (target.name == self._key == "id"):
            return True
        if target.is_writable:
            return False
        if cell in (None, ""):
            return True
        if present is None:
            return False
        if target.name == self._version:
            return True
        shown = present.get(target.name)
        if self._is_json:
            return bool(shown == cell)
        return not isinstance(cell, Untaken) and as_text(encode(shown, target.column)) == as_text(
            cell
        )

    def _value(self, row: SourceRow, target: Target) -> Any:
        cell = row.cells.get(target.heading, BLANK)
        if self._is_json or cell is BLANK:
            return cell
        try:
            return decode(cell, target.column)
        except CellRefused as refusal:
            raise ValidationError([ErrorDetail(str(refusal.message), refusal.code)]) from None


def _require_known(
    named: Mapping[str, str | None], mapping: Mapping[str, str | None], known: Sequence[str]
) -> None:
    unknown = [heading for heading, name in named.items() if name is not None and name not in known]
    unknown += [heading for heading in mapping if heading not in named]
    if unknown:
        message = _("There is no column for: {unknown}. The known fields are: {known}.")
        raise Invalid(
            format_lazy(message, unknown=", ".join(unknown), known=", ".join(known)),
            code="unknown_column",
        )
    fields = [name for name in named.values() if name is not None]
    repeated = sorted({name for name in fields if fields.count(name) > 1})
    if repeated:
        message = _("More than one column is about: {fields}.")
        raise Invalid(format_lazy(message, fields=", ".join(repeated)), code="repeated_column")


def _blank_of(field: Any) -> Any:
    if field.allow_null:
        return None
    return "" if isinstance(field, serializers.CharField) else _ABSENT


def _is_version(model: type[Any], source: str) -> bool:
    return any(
        field.name == source and isinstance(field, VersionField)
        for field in model._meta.concrete_fields
    )


def find_existing(
    view: Resource, upload: Upload, targets: Targets, rows: Sequence[SourceRow]
) -> Mapping[int, Any]:
    """Return by the number of a row the key of the existing one that it is about, or why none can be told.

    The rows found are locked in the order of their keys, so that two imports about the same rows cannot wait for each
    other; whether each is seen and may be changed is asked when it is written.
    """
    if upload.mode == "create":
        return {}
    found: dict[int, Any] = {}
    wanted: dict[int, Any] = {}
    seen: set[Any] = set()
    for row in rows:
        try:
            value = _key_value(view, upload.key, targets, row)
        except ValidationError as error:
            found[row.number] = error
            continue
        if value is None:
            continue
        if value in seen:
            found[row.number] = _refusal(upload.key, _("Another row has this key."), "repeated_key")
            continue
        seen.add(value)
        wanted[row.number] = value
    keys = _keys_by_value(view, upload.key, list(wanted.values()))
    for number, value in wanted.items():
        several = keys.get(value, [])
        if len(several) > 1:
            found[number] = _refusal(
                upload.key, _("More than one thing has this key."), "ambiguous_key"
            )
        elif several:
            found[number] = several[0]
        elif upload.key == "id":
            found[number] = _refusal(upload.key, _("There is no such thing."), "not_found")
    _lock(view, [key for key in found.values() if not isinstance(key, ValidationError)])
    return found


def _key_value(view: Resource, key: str, targets: Targets, row: SourceRow) -> Any:
    if row.refusal is not None:
        return None
    value = targets.value_of(row, key)
    if value in (BLANK, None, ""):
        return None
    field: Any = view.model._meta.pk
    if key != "id":
        field = view.model._meta.get_field(view.get_serializer().fields[key].source)
    try:
        found = field.to_python(value)
        if key == "id" and not isinstance(found, int):
            found = uuid.UUID(str(found))
        hash(found)
        if isinstance(found, str) and "\x00" in found:
            raise ValueError("no text of a database")
    except (DjangoValidationError, ValueError, TypeError, OverflowError):
        raise _refusal(key, _("A value of the right type is expected."), "invalid") from None
    return found


def _keys_by_value(view: Resource, key: str, values: Sequence[Any]) -> Mapping[Any, list[Any]]:
    source = "pk" if key == "id" else str(view.get_serializer().fields[key].source)
    keys: dict[Any, list[Any]] = {}
    rows = view.visible().filter(**{f"{source}__in": values}).order_by()
    for value, pk in rows.values_list(source, "pk"):
        keys.setdefault(value, []).append(pk)
    return keys


def _lock(view: Resource, keys: Sequence[Any]) -> None:
    rows = view.model._base_manager.filter(pk__in=keys).order_by("pk")
    list(rows.select_for_update().values_list("pk"))


def _refusal(key: str, message: Any, code: str) -> ValidationError:
    return ValidationError({key: [ErrorDetail(str(message), code)]})
