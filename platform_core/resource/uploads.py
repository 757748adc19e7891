"""What is sent to be imported: a file as the body or as a part of a form, and how it is to be read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import orjson
from django.core.exceptions import RequestDataTooBig
from django.http.multipartparser import MultiPartParserError
from django.utils.translation import gettext_lazy as _
from rest_framework.exceptions import ParseError, UnsupportedMediaType

from platform_core.exchange.writing import DELIMITERS, FORMATS
from platform_core.resource.problems import QueryRefused

if TYPE_CHECKING:
    from django.http import HttpRequest, QueryDict

MOST_BYTES: Final = 10 * 1024 * 1024
MOST_UNPACKED: Final = 10 * MOST_BYTES
FILE: Final = "file"
MODES: Final = ("create", "update", "upsert")
IMPORT_PARAMETERS: Final = frozenset({"format", "delimiter", "sheet", "mode", "key", "mapping"})

_MULTIPART: Final = "multipart/form-data"
_FORM_ROOM: Final = 65_536
"""What a form may take beside its file."""
_MOST_DIGITS: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A file with how it is to be read: ``mapping`` leads from headings to fields, to ``None`` what is passed over."""

    content: bytes = field(repr=False)
    format: str
    delimiter: str = ""
    sheet: str = ""
    mode: str = "create"
    key: str = "id"
    mapping: Mapping[str, str | None] = field(default_factory=dict)

    @property
    def identity(self) -> bytes:
        """Return what makes two uploads the same one; the boundary of a form differs each time it is sent."""
        return orjson.dumps(self.options, option=orjson.OPT_SORT_KEYS) + b"\n" + self.content

    @property
    def options(self) -> dict[str, Any]:
        """Return how it is to be read."""
        return {
            "format": self.format,
            "delimiter": self.delimiter,
            "sheet": self.sheet,
            "mode": self.mode,
            "key": self.key,
            "mapping": dict(self.mapping),
        }


def received(request: HttpRequest, query: QueryDict) -> Upload:
    """Return what ``request`` sends, with the options of the query and of the form.

    Raises ``QueryRefused`` for an option, 413 for too much, 415 for a kind of file that is not read.
    """
    if _announced(request) > MOST_BYTES + _FORM_ROOM:
        raise RequestDataTooBig  # before waiting for what is not to be read
    options = {name: str(query[name]) for name in IMPORT_PARAMETERS if name in query}
    if request.content_type == _MULTIPART:
        content, name = _from_form(request, options)
    else:
        content, name = request.read(MOST_BYTES + 1), _named(str(request.content_type))
    if len(content) > MOST_BYTES:
        raise RequestDataTooBig
    chosen = options.get("format", name)
    if chosen not in FORMATS:
        if "format" in options:
            raise QueryRefused(
                "format", _("The formats are csv, xlsx and jsonl."), "unknown_format"
            )
        raise UnsupportedMediaType(str(request.content_type))
    return Upload(content=content, format=chosen, **_checked(options))


def _from_form(request: HttpRequest, options: dict[str, str]) -> tuple[bytes, str]:
    """Return the file of a form and the format that its name or type tells; adds the form's other fields."""
    try:
        files, fields = request.FILES, request.POST
    except MultiPartParserError as error:
        raise ParseError(_("The form is malformed."), code="malformed_form") from error
    if set(files) != {FILE} or len(files.getlist(FILE)) != 1:
        raise QueryRefused(FILE, _("Send one file, in the part called file."), "file_expected")
    for name, values in fields.lists():
        if name not in IMPORT_PARAMETERS:
            raise QueryRefused(name, _("There is no such parameter."), "unknown_parameter")
        if len(values) > 1 or name in options:
            raise QueryRefused(name, _("This parameter is given once only."), "repeated_parameter")
        options[name] = str(values[0])
    sent: Any = files[FILE]
    if sent.size > MOST_BYTES:
        raise RequestDataTooBig
    ending = str(sent.name or "").lower().rpartition(".")[2]
    return sent.read(), ending if ending in FORMATS else _named(str(sent.content_type))


def _named(media_type: str) -> str:
    """Return the name of the format that ``media_type`` stands for; empty when none does."""
    wanted = media_type.lower()
    for one in FORMATS.values():
        if wanted == one.media_type.partition(";")[0] or wanted in one.reads_as:
            return one.name
    return ""


def _checked(options: Mapping[str, str]) -> dict[str, Any]:
    """Return the options that say how to read and what to do; raises ``QueryRefused``."""
    found: dict[str, Any] = {}
    for name, allowed in (("mode", MODES), ("delimiter", tuple(DELIMITERS))):
        if name in options:
            if options[name] not in allowed:
                raise QueryRefused(name, _("There is no such choice."), "unknown_value")
            found[name] = options[name]
    for name in ("sheet", "key"):
        if name in options:
            found[name] = options[name]
    if "mapping" in options:
        found["mapping"] = _mapping(options["mapping"])
    if "key" in options and found.get("mode", "create") == "create":
        raise QueryRefused("key", _("A key finds rows to change: say mode=update or upsert."))
    return found


def _mapping(text: str) -> Mapping[str, str | None]:
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict) or not all(
        value is None or isinstance(value, str) for value in found.values()
    ):
        raise QueryRefused(
            "mapping", _("A JSON object from headings to fields is expected, null for none.")
        )
    return found


def _announced(request: HttpRequest) -> int:
    text = str(request.META.get("CONTENT_LENGTH") or "")
    return int(text) if text.isdecimal() and len(text) < _MOST_DIGITS else 0
