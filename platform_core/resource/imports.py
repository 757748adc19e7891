"""Imports: a file whose rows are written one by one as the calls for them would be, with a report on each."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from io import BytesIO
from typing import TYPE_CHECKING, Any, ClassVar, cast

from django.http import HttpResponse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from rest_framework.exceptions import APIException

from platform_core.exchange.cells import Column
from platform_core.exchange.errors import TooMuchAtOnce
from platform_core.exchange.reading import PROBLEM_COLUMN
from platform_core.exchange.writing import FORMATS, writer_of
from platform_core.resource.bulk import STRICT, is_strict
from platform_core.resource.declared import name_of
from platform_core.resource.import_rows import Report, TooManyRows, run_import
from platform_core.resource.rendering import dumps
from platform_core.resource.uploads import IMPORT_PARAMETERS, Upload, received

if TYPE_CHECKING:
    from platform_core.resource.base import Resource


LEFT_TO_A_WORKER = (TooManyRows, TooMuchAtOnce)
"""What is raised, before anything is written, for a file that takes longer than a client waits."""


class ImportRefused(APIException):
    """Some rows failed and the client asked for all or nothing."""

    status_code = 422
    default_code = "import_failed"
    default_detail = _("Some rows cannot be accepted; nothing was written.")

    def __init__(self, results: Sequence[Mapping[str, Any]], failed_rows: Any) -> None:
        super().__init__()
        self.extra = {"results": results, "failed_rows": failed_rows}


class Imports:
    """How ``Resource`` takes a file."""

    request: Any
    respond: Callable[..., HttpResponse]
    upload: Upload
    import_keys: ClassVar[Sequence[str]]

    def receive(self) -> None:
        """Read what was sent; raises what ``received`` raises."""
        self.upload = received(self.request._request, self.request.GET)

    @property
    def received(self) -> bytes:
        """Return what makes a repeated call the same call."""
        return self.upload.identity

    def import_rows(self) -> HttpResponse:
        """Create or change a row for each row of a file, and report on each; failed ones come back as a file."""
        view = cast("Resource", self)
        strict = self._is_strict()
        try:
            report = run_import(view, self.upload)
        except LEFT_TO_A_WORKER:
            if view.is_trial:
                raise  # an operation that is started in here would be undone with the rest
            return self.import_later()
        failed = _file_of(type(view), report)
        if strict and report.failures:
            raise ImportRefused([one for one in report.results if "problem" in one], failed)
        response = self.respond(
            {
                "rows": len(report.results),
                **report.counts(),
                "results": report.results,
                "failed_rows": failed,
            }
        )
        if strict:
            response["Preference-Applied"] = STRICT
        return response

    def _is_strict(self) -> bool:
        return is_strict(self.request.headers.get("Prefer", ""))

    def import_later(self) -> HttpResponse:
        """Start an operation that does the work, or tries it, and answer 202."""
        from platform_core.operations import accepted, start_operation
        from platform_core.operations.importing import (
            import_file,  # they serve resources themselves
        )

        view = cast("Resource", self)
        name = name_of(type(view))
        arguments = {
            "slug": view.slug,
            "name": name,
            "version": view.api_version,
            "options": self.upload.options,
            "strict": self._is_strict(),
        }
        operation = start_operation(
            import_file,
            arguments,
            kind=f"{view.slug}.{name}.import",
            plugin=view.slug,
            input_file=BytesIO(self.upload.content),
            dry_run=view.is_trial,
        )
        response = accepted(self.request, operation)
        if arguments["strict"]:
            response["Preference-Applied"] = STRICT
        return response


def _file_of(resource: type[Resource], report: Report) -> Mapping[str, str] | None:
    if not report.failures:
        return None
    filename, media_type, content = failed_rows(resource, report)
    return {
        "filename": filename,
        "media_type": media_type,
        "content_base64": base64.b64encode(content).decode(),
    }


def failed_rows(resource: type[Resource], report: Report) -> tuple[str, str, bytes]:
    """Return name, media type and content of a file like the one that came, with a column that says what is wrong."""
    name = report.format
    columns = [Column(heading, "text", nullable=True) for heading in report.headings]
    columns.append(Column(PROBLEM_COLUMN, "text"))
    writer = writer_of(name, columns, delimiter=report.delimiter, dumps=dumps)
    content = writer.begin() + writer.write(report.failures) + writer.end()
    filename = f"{name_of(resource)}-failed-{timezone.now():%Y-%m-%d}.{name}"
    return filename, FORMATS[name].media_type, content


__all__ = ["IMPORT_PARAMETERS", "ImportRefused", "Imports"]
