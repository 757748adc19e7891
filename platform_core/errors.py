"""Errors of the domain: what services raise and the edges turn into problems."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise


class DomainError(Exception):
    """A refusal with a meaning; ``message`` tells the person what to do next.

    ``code`` is stable and for machines. ``pointer`` is a JSON Pointer to the input at fault, if one is.
    """

    code = "invalid"
    status = 422

    def __init__(
        self, message: StrOrPromise, *, code: str | None = None, pointer: str | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.pointer = pointer
        if code is not None:
            self.code = code


class Invalid(DomainError):
    """The input cannot be accepted as it is."""


class Conflict(DomainError):
    """The state of the data forbids it."""

    code = "conflict"
    status = 409


class NotFound(DomainError):
    """There is no such thing, or the actor may not know of it."""

    code = "not_found"
    status = 404


class Forbidden(DomainError):
    """The actor may see the thing but not do this to it."""

    code = "forbidden"
    status = 403
