"""Exports: the list as a file, whole, in the order of the list, and in constant memory however long it is."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from django.db import connections, transaction
from django.db.models import CharField, F, Func, JSONField, Q, TextField
from django.db.models.functions import Cast, Length
from django.http import HttpResponse, StreamingHttpResponse
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _
from rest_framework.exceptions import APIException

from platform_core.access import acting_as, scope
from platform_core.errors import Invalid
from platform_core.exchange.writing import DELIMITERS, FORMATS, Format, Writer, writer_of
from platform_core.exchange.xlsx_writing import MOST_CHARACTERS
from platform_core.resource import declared, filters
from platform_core.resource.columns import columns_of
from platform_core.resource.problems import QueryRefused
from platform_core.resource.reading import batches
from platform_core.resource.rendering import dumps
from platform_core.resource.requests import RESPOND_ASYNC, prefers, request_id_of
from platform_core.resource.shape import FIELDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.db.models import QuerySet
    from django.http import QueryDict

    from platform_core.access import Actor, Policy
    from platform_core.resource.pagination import Keyset
    from platform_core.resource.shape import Shape

FORMAT = "format"
DELIMITER = "delimiter"
EXPORT_PARAMETERS = frozenset({FORMAT, DELIMITER, FIELDS, filters.ORDERING})
BATCH_ROWS = 1_000
MOST_AT_ONCE = 2
"""Exports that one process sends at the same time; each holds a thread and a connection."""
MOST_IDLE_S = 60
"""How long a client may take to read one batch before the database gives up waiting for the next question."""
MOST_SECONDS = 3_600
_BUSY_RETRY_S = 10

logger = logging.getLogger(__name__)
_places = threading.BoundedSemaphore(MOST_AT_ONCE)


class ExportsBusy(APIException):
    """As many exports as this process sends at once are running."""

    status_code = 503
    default_code = "exports_busy"
    default_detail = _("Other exports are running; try again shortly.")
    wait = _BUSY_RETRY_S


class NeedsChunks(APIException):
    """The client or a proxy speaks HTTP/1.0, where a file that breaks off looks like a whole one."""

    status_code = 426
    default_code = "http_version"
    default_detail = _(
        "An export needs HTTP/1.1, so that a file that breaks off is known to be cut."
    )


class ExportTooSlow(Exception):
    """The client took longer than an export may take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderedFile:
    """What an export is to hold: its rows, their order and fields, and what writes them."""

    name: str
    format: Format
    queryset: QuerySet[Any]
    keyset: Keyset
    shape: Shape
    names: Sequence[str]
    writer: Writer

    @property
    def disposition(self) -> dict[str, str]:
        """Return the header that names the file."""
        return {"Content-Disposition": str(content_disposition_header(True, self.name))}


class Exports:
    """How ``Resource`` sends its list as a file."""

    actor: Actor
    policy: ClassVar[Policy]
    model: ClassVar[Any]
    ordering: ClassVar[str]
    slug: str
    request: Any
    get_serializer: Callable[..., Any]
    visible: Callable[[], QuerySet[Any]]
    narrowed: Callable[[], QuerySet[Any]]
    keyset_of: Callable[[str | None], Keyset]
    plan: Any
    accessible: Any
    judged: Callable[..., QuerySet[Any]]
    represented: Callable[[Sequence[Any]], Sequence[Any]]
    filters: Callable[[], Mapping[str, Any]]
    searched: Callable[[], Sequence[str]]

    def export(self) -> Any:
        """Send all rows of the list that the actor may export as a file, with its filters, search, order and fields.

        A client that prefers not to wait (RFC 7240) gets 202, and the file of an operation later.
        """
        file = self.ordered_file()
        later = self.request.method == "GET" and prefers(self.request, RESPOND_ASYNC)
        if self.request.META.get("SERVER_PROTOCOL") == "HTTP/1.0" and not later:
            raise NeedsChunks
        headers = {**file.disposition, "Cache-Control": "no-store"}
        if self.request.method == "HEAD":
            return HttpResponse(content_type=file.format.media_type, headers=headers)
        self._require_fits(file)
        if later:
            return self._export_later()
        body = Started(self._stream(file))
        return StreamingHttpResponse(body, content_type=file.format.media_type, headers=headers)

    def ordered_file(self) -> OrderedFile:
        """Return what the request asks for; raises ``QueryRefused`` for what it cannot ask."""
        query = self.request.GET
        cls: Any = type(self)
        search = {filters.SEARCH} if self.searched() else set()
        filters.check_parameters(query, EXPORT_PARAMETERS | search, self.filters())
        chosen, delimiter = _format_of(query)
        keyset = self.keyset_of(query.get(filters.ORDERING))
        shape = declared.shape_of(cls, query, self.accessible)
        names = shape.fields or self.accessible.readable
        columns = columns_of(self.get_serializer().fields, names)
        return OrderedFile(
            name=f"{declared.name_of(cls)}-{timezone.now():%Y-%m-%d}.{chosen.name}",
            format=chosen,
            queryset=scope(self.actor, self.policy.permission("export"), self.narrowed()),
            keyset=keyset,
            shape=shape,
            names=names,
            writer=writer_of(chosen.name, columns, delimiter=delimiter, dumps=dumps),
        )

    def _export_later(self) -> HttpResponse:
        """Start an operation that makes the file, and answer 202."""
        from platform_core.operations import accepted, start_operation
        from platform_core.operations.exporting import (
            export_file,  # they serve resources themselves
        )

        cls: Any = type(self)
        name = declared.name_of(cls)
        query = self.request.GET.urlencode()
        operation = start_operation(
            export_file,
            {"slug": self.slug, "name": name, "query": query, "version": cls.api_version},
            kind=f"{self.slug}.{name}.export",
            plugin=self.slug,
        )
        response = accepted(self.request, operation)
        response["Preference-Applied"] = RESPOND_ASYNC
        return response

    def parts(self, file: OrderedFile) -> Generator[tuple[bytes, int], None, None]:
        """Yield the file in parts, none of them empty, each with the number of rows that it ends with."""
        count = 0
        head = file.writer.begin()
        try:
            for rows in self._exported(file.queryset, file.keyset, file.shape):
                count += len(rows)
                if part := head + file.writer.write(rows):
                    yield part, count
                head = b""
            yield head + file.writer.end(), count
        finally:
            file.writer.abandon()

    def _stream(self, file: OrderedFile) -> Generator[bytes, None, None]:
        """Yield the file; whatever goes wrong after the first part breaks it off, and the log says so."""
        ends_at = time.monotonic() + MOST_SECONDS
        sent = 0
        try:
            with (
                _place(),
                snapshot(file.queryset.db, most_idle_s=MOST_IDLE_S),
                closing(self.parts(file)) as parts,
            ):
                for part, rows in parts:
                    yield part
                    sent = rows
                    if time.monotonic() > ends_at:
                        raise ExportTooSlow
        except GeneratorExit:
            raise
        except Exception:  # told and raised on: the transfer breaks
            if sent:
                logger.exception(
                    "export broken off",
                    extra={
                        "plugin": self.slug,
                        "rows": sent,
                        "request_id": request_id_of(self.request),
                    },
                )
            raise

    def _exported(
        self, queryset: QuerySet[Any], keyset: Keyset, shape: Shape
    ) -> Iterator[Sequence[Any]]:
        """Yield the rows in batches, each as the list shows it."""
        plan = None if self.plan is None else shape.plan(self.plan)
        found = declared.in_order(self.judged(queryset, plan), keyset, plan, backward=False)
        if plan is not None:
            for loaded in batches(found, BATCH_ROWS):
                yield plan.rows(loaded)
            return
        held: list[Any] = []
        request_id = request_id_of(self.request)
        for one in found.iterator(chunk_size=BATCH_ROWS):
            held.append(one)
            if len(held) == BATCH_ROWS:
                yield self._represented(held, shape, request_id)
                held = []
        if held:
            yield self._represented(held, shape, request_id)

    def _represented(self, held: Sequence[Any], shape: Shape, request_id: str) -> Sequence[Any]:
        """Return instances as JSON objects, as somebody: the request's own context is over by now."""
        with acting_as(self.actor, request_id=request_id):
            return shape.rows(self.represented(held))

    def _require_fits(self, file: OrderedFile) -> None:
        """Refuse at once what the format cannot hold; raises ``Invalid``."""
        chosen, queryset = file.format, file.queryset
        if chosen.most_rows is None:
            return
        unordered = queryset.order_by()
        if unordered.values("pk")[: chosen.most_rows + 1].count() > chosen.most_rows:
            message = _("An XLSX sheet holds {most} rows. Narrow the list, or take CSV.")
            raise Invalid(format_lazy(message, most=chosen.most_rows), code="too_many_rows")
        if self.plan is None:
            return
        for column in self.plan.only(file.names).columns:
            length = _length_of(self.model._meta.get_field(column.attribute))
            if length is not None and _exist(unordered, length):
                message = _(
                    "A text in {field} is too long for a cell of XLSX. Leave it out, or take CSV."
                )
                raise Invalid(format_lazy(message, field=column.name), code="cell_too_long")


class Started:
    """A stream whose first part was made already, so that what fails before it is answered as a problem."""

    def __init__(self, stream: Generator[bytes, None, None]) -> None:
        self._stream = stream
        self._first = next(stream)

    def __iter__(self) -> Iterator[bytes]:
        first, self._first = self._first, b""
        if first:
            yield first
        yield from self._stream

    def close(self) -> None:
        """End the transaction and give the place back, however far the client has read."""
        self._stream.close()


def _format_of(query: QueryDict) -> tuple[Format, str]:
    chosen = FORMATS.get(query.get(FORMAT, "csv"))
    if chosen is None:
        raise QueryRefused(FORMAT, _("The formats are csv, xlsx and jsonl."), "unknown_format")
    delimiter = query.get(DELIMITER, "comma")
    if delimiter not in DELIMITERS or (DELIMITER in query and chosen.name != "csv"):
        raise QueryRefused(
            DELIMITER, _("CSV is delimited by comma, semicolon or tab; other formats by nothing.")
        )
    return chosen, delimiter


@contextmanager
def _place() -> Iterator[None]:
    """Hold one of the places for exports; raises ``ExportsBusy`` when none is left."""
    if not _places.acquire(blocking=False):
        raise ExportsBusy
    try:
        yield
    finally:
        _places.release()


@contextmanager
def snapshot(using: str, *, most_idle_s: int) -> Iterator[None]:
    """Hold a transaction that the database ends by itself when nobody asks for the next rows for so many seconds."""
    with transaction.atomic(using=using):
        with connections[using].cursor() as cursor:
            cursor.execute(f"SET LOCAL idle_in_transaction_session_timeout = '{most_idle_s}s'")
        yield


def _length_of(field: Any) -> Any:
    """Return how long a field's text is in SQL, or ``None`` where it is always short."""
    if isinstance(field, CharField) and field.max_length and field.max_length < MOST_CHARACTERS:
        return None
    if isinstance(field, (CharField, TextField)):
        return Length(F(field.attname))
    if isinstance(field, JSONField) or field.get_internal_type() == "ArrayField":
        as_json = Func(F(field.attname), function="to_jsonb", output_field=JSONField())
        return Length(Cast(as_json, TextField()))
    return None


def _exist(queryset: QuerySet[Any], length: Any) -> bool:
    return bool(queryset.annotate(_length=length).filter(Q(_length__gte=MOST_CHARACTERS)).exists())
