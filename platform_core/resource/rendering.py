"""JSON in and out with orjson: one output form for every road, and no other media type."""

from __future__ import annotations

import decimal
from collections.abc import Mapping
from typing import IO, TYPE_CHECKING, Any, ClassVar

import orjson
from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from rest_framework.exceptions import ParseError
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rest_framework.request import Request

JSON = "application/json"
_MOST_DIGITS = 20


def _plain(value: object) -> Any:
    """Turn what orjson does not know into something it does."""
    if isinstance(value, decimal.Decimal):
        return format(value, "f")
    if isinstance(value, (Promise, str)):
        return str(value)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    if hasattr(value, "__iter__"):
        return list(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


def dumps(data: Any) -> bytes:
    """Encode ``data``: datetimes in UTC with ``Z``, decimals as strings, UUIDs in their hyphened form."""
    return orjson.dumps(data, _plain, orjson.OPT_UTC_Z)


class OrjsonRenderer(BaseRenderer):
    """Render as UTF-8 JSON."""

    media_type = JSON
    format = "json"
    charset = None
    render_style = "binary"

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        """Return ``data`` as JSON, or nothing for an answer without a body."""
        return b"" if data is None else dumps(data)


class OrjsonParser(BaseParser):
    """Read a UTF-8 JSON body; ``NaN`` and the infinities are not JSON and are refused."""

    media_type = JSON

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        """Return the decoded body.

        Raises ``ParseError`` when it is not JSON, ``RequestDataTooBig`` when it is longer than Django's
        ``DATA_UPLOAD_MAX_MEMORY_SIZE``, which a parser that reads the stream would pass by.
        """
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        if limit is not None and _announced(parser_context or {}) > limit:
            raise RequestDataTooBig  # before waiting for what is not to be read
        body = stream.read() if limit is None else stream.read(limit + 1)
        if limit is not None and len(body) > limit:
            raise RequestDataTooBig
        try:
            return orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise ParseError(_("The body is not valid JSON."), code="malformed_json") from error


def _announced(parser_context: Mapping[str, Any]) -> int:
    """Return the length that the request says its body has; 0 when it says none."""
    request = parser_context.get("request")
    text = str(request.META.get("CONTENT_LENGTH") or "") if request is not None else ""
    return int(text) if text.isdecimal() and len(text) < _MOST_DIGITS else 0


class JSONNegotiation(DefaultContentNegotiation):
    """Answer the usual clients without parsing their ``Accept`` header."""

    _anything: ClassVar[frozenset[str]] = frozenset({"*/*", JSON})

    def select_renderer(
        self,
        request: Request,
        renderers: Iterable[BaseRenderer],
        format_suffix: str | None = None,
    ) -> tuple[BaseRenderer, str]:
        """Return the only renderer when the client takes JSON, else negotiate.

        Raises ``NotAcceptable``.
        """
        first = next(iter(renderers))
        if request.META.get("HTTP_ACCEPT", "*/*") in self._anything and first.media_type == JSON:
            return first, JSON
        found: tuple[BaseRenderer, str] = super().select_renderer(request, renderers, format_suffix)
        return found
