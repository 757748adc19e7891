"""How much of a body is read: at most what its media type may have, whatever length the request claims."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from io import BytesIO, IOBase
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.exceptions import BadRequest, RequestDataTooBig
from django.utils.translation import gettext as _

from platform_core.edge.limits import limit_of
from platform_core.resource.problems import bad_request, problem, too_large

if TYPE_CHECKING:
    from django.http import HttpRequest
    from django.http.response import HttpResponseBase


class BodyStream(IOBase):
    """Reads a body and counts: more than ``limit`` bytes raise ``RequestDataTooBig``.

    ``length`` is what the request announced, ``None`` for a body in chunks. Fewer bytes than that are a call that was
    cut off, which must not pass for a whole one: ``BadRequest``, which Django answers wherever it is raised. More are never read.
    """

    def __init__(self, stream: Any, length: int | None, limit: int) -> None:
        super().__init__()
        self._stream = stream
        self._length = length
        self._limit = limit
        self._read = 0

    def read(self, size: int | None = -1, /) -> bytes:
        """Return ``size`` bytes, fewer only at the end of a body in chunks; all that are left without one."""
        parts: list[bytes] = []
        wanted = self._wanted(size)
        while wanted > 0 and (part := self._counted(self._stream.read, wanted)):
            parts.append(part)
            wanted -= len(part)
        return b"".join(parts)

    def readline(self, size: int | None = -1, /) -> bytes:
        """Return a line of up to ``size`` bytes."""
        wanted = self._wanted(size)
        return self._counted(self._stream.readline, wanted) if wanted > 0 else b""

    def _wanted(self, size: int | None) -> int:
        most = self._limit + 1 if self._length is None else self._length
        left = most - self._read
        return left if size is None or size < 0 else min(size, left)

    def _counted(self, read: Callable[[int], bytes], wanted: int) -> bytes:
        try:
            found = read(wanted)
        except Exception as error:  # each server has exceptions of its own for what is no body
            raise BadRequest("The body is not as the request said.") from error
        self._read += len(found)
        if self._read > self._limit:
            raise RequestDataTooBig("The body is longer than its media type may be.")
        if not found and self._length is not None:
            raise BadRequest("The body is shorter than the request said.")
        return found


class BodyLimitMiddleware:
    """Refuse by 413 what is announced too long before anything reads it, and count what is read.

    A body in chunks announces nothing. It is read here when it is of a kind that is held in memory anyway, so that what
    looks at ``Content-Length`` afterwards sees the truth; a longer kind, a file, is counted while its view reads it.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response
        self.limits: Mapping[str, int] = settings.PLATFORM_BODY_LIMITS
        self.in_memory: int = settings.DATA_UPLOAD_MAX_MEMORY_SIZE

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer ``request``, or refuse its body."""
        meta = request.META
        text = meta.get("CONTENT_LENGTH") or ""
        chunked = "chunked" in meta.get("HTTP_TRANSFER_ENCODING", "").lower()
        if not chunked and text in ("", "0"):
            return self.get_response(request)
        limit = limit_of(meta.get("CONTENT_TYPE", ""), self.limits)
        if not chunked and not (text.isascii() and text.isdecimal()):
            return bad_request(request)
        if not chunked and (len(text) > len(str(limit)) + 20 or int(text) > limit):
            return too_large(request)
        if chunked and limit > self.in_memory and _is_form(meta):
            return problem(
                request, 411, "length_required", _("Say in Content-Length how long it is.")
            )
        try:
            self._count(request, None if chunked else int(text), limit)
        except RequestDataTooBig:
            return too_large(request)
        except BadRequest:
            return bad_request(request)
        return self.get_response(request)

    def _count(self, request: HttpRequest, length: int | None, limit: int) -> None:
        plain: Any = request
        stream = BodyStream(request.META["wsgi.input"], length, limit)
        plain._stream = stream
        if length is None and limit <= self.in_memory:
            body = stream.read()
            request.META["CONTENT_LENGTH"] = str(len(body))
            plain._stream = BytesIO(body)


def _is_form(meta: Mapping[str, Any]) -> bool:
    """Tell whether the body is a form with files, which Django reads by its length only."""
    return str(meta.get("CONTENT_TYPE", "")).lower().startswith("multipart/")
