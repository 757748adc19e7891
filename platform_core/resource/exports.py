"""Exports: the list as a file, whole, in the order of the list, and in constant memory however long it is."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from django.db import transaction
from django.db.models import CharField, F, Func, JSONField, Q, TextField
from django.db.models.functions import Cast, Length
from django.http import HttpResponse, StreamingHttpResponse
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from platform_core.access import acting_as, scope
from platform_core.errors import Invalid
from platform_core.exchange.writing import DELIMITERS, FORMATS, Format, Writer, writer_of
from platform_core.exchange.xlsx_writing import MOST_CHARACTERS
from platform_core.resource import declared, filters
from platform_core.resource.columns import columns_of
from platform_core.resource.export_streams import NeedsChunks, Started, sent
from platform_core.resource.problems import QueryRefused
from platform_core.resource.reading import batches
from platform_core.resource.rendering import dumps
from platform_core.resource.requests import RESPOND_ASYNC, prefers, request_id_of
from platform_core.resource.shape import FIELDS
from platform_core.resource.trail import record_read

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
        later = self._goes_to_background()
        if self.request.META.get("SERVER_PROTOCOL") == "HTTP/1.0" and not later:
            raise NeedsChunks
        headers = {**file.disposition, "Cache-Control": "no-store"}
        if self.request.method == "HEAD":
            record_read(self)  # type: ignore[arg-type]  # composed into Resource
            return HttpResponse(content_type=file.format.media_type, headers=headers)
        self._require_fits(file)
        if later:
            return self._export_later()
        record_read(self)  # type: ignore[arg-type]  # composed into Resource
        body = Started(
            sent(
                lambda: self.parts(file),
                using=file.queryset.db,
                told={"plugin": self.slug, "request_id": request_id_of(self.request)},
            )
        )
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

    def _goes_to_background(self) -> bool:
        """Tell whether the client prefers not to wait; nobody could fetch the file of one who is not signed in."""
        is_asked = self.request.method == "GET" and self.actor.is_authenticated
        return is_asked and prefers(self.request, RESPOND_ASYNC)

    def _export_later(self) -> HttpResponse:
        """Start an operation that makes the file, and answer 202; raises Conflict when whoever asks keeps too many."""
        from platform_core.operations import accepted
        from platform_core.operations.exporting import (
            start_export,  # they serve resources themselves
        )

        cls: Any = type(self)
        with transaction.atomic():
            record_read(self)  # type: ignore[arg-type]  # composed into Resource
            operation = start_export(
                slug=self.slug,
                name=declared.name_of(cls),
                query=self.request.GET.urlencode(),
                version=cls.api_version,
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
