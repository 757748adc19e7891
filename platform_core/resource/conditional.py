"""Conditional requests (RFC 9110, 13): a tag for each state of a row, reads that may be spared, writes that may not collide."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext_lazy as _
from rest_framework.exceptions import APIException

if TYPE_CHECKING:
    from django.http import HttpRequest

# What begins with blanks would look through a run of them once from each of them.
_TAG = re.compile(r'(?P<weak>W/)?"(?P<value>[^"]*)"(?=\s*+(?:,|\Z))')
_DIGEST_BYTES = 8


class PreconditionFailed(APIException):
    """The row is not in the state that ``If-Match`` names; ``tag`` is the present one."""

    status_code = 412
    default_code = "precondition_failed"
    default_detail = _("It was changed meanwhile; read it again, then repeat your change.")

    def __init__(self, tag: str) -> None:
        super().__init__()
        self.tag = tag


class PreconditionRequired(APIException):
    """The resource takes changes only with ``If-Match``."""

    status_code = 428
    default_code = "precondition_required"
    default_detail = _("Send If-Match with the ETag that you have read.")


def tag_of(version: int, body: bytes) -> str:
    """Return the strong ``ETag`` of a row: its version, which ``If-Match`` compares, and a digest of what is shown."""
    return f'"{version}-{hashlib.blake2b(body, digest_size=_DIGEST_BYTES).hexdigest()}"'


def is_unchanged(request: HttpRequest, tag: str) -> bool:
    """Tell whether the client has what ``tag`` stands for already (``If-None-Match``)."""
    header = request.META.get("HTTP_IF_NONE_MATCH")
    if header is None:
        return False
    return header.strip() == "*" or tag.strip('"') in _values(header, weak_too=True)


def require_match(header: str | None, row: Any, *, required: bool = False) -> None:
    """Refuse a write whose ``If-Match`` names no present state of ``row``, which has a ``version``.

    Raises ``PreconditionFailed``, and ``PreconditionRequired`` when there is no header although one is ``required``.
    """
    if header is None:
        if required:
            raise PreconditionRequired
        return
    if header.strip() == "*":
        return
    versions = {value.partition("-")[0] for value in _values(header, weak_too=False)}
    if str(row.version) not in versions:
        raise PreconditionFailed(f'"{row.version}"')


def _values(header: str, *, weak_too: bool) -> set[str]:
    """Return the values of the tags in ``header``; of weak ones only where weak comparison is meant."""
    return {one["value"] for one in _TAG.finditer(header) if weak_too or not one["weak"]}
