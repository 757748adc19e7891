"""Exceptions as logs tell them: types, files, lines and functions, and of their texts only what holds no values.

Nothing else in the platform formats an exception: Python's own form quotes the database's DETAIL, which is the row.
"""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Final

from platform_core.observability.redaction import HIDDEN, carrying_what_came_with, redacted

_CAUSE: Final = "The above exception was the direct cause of the following exception:"
_CONTEXT: Final = "During handling of the above exception, another exception occurred:"
_MOST_TEXT: Final = 1000
_MOST_IN_A_GROUP: Final = 10
_DIAGNOSED: Final = ("schema_name", "table_name", "column_name", "constraint_name", "datatype_name")
# What is opened and not closed ends with the text: looking for the end of each in vain would take the square of the time.
_QUOTED = re.compile(r"\"[^\"]*\"|'[^']*'|“[^”]*+(?:”|\Z)|«[^»]*+(?:»|\Z)|„[^“]*+(?:“|\Z)")
_NAMES_ONLY: Final = ("08", "23", "28", "3D", "3F", "40", "42", "53", "55", "57", "58")
"""Classes of SQLSTATE whose messages name things of the schema and the server, never values."""

ExceptionInfo = tuple[type[BaseException], BaseException, TracebackType | None]


def format_exception(exc_info: ExceptionInfo) -> str:
    """Return an exception with its causes as the log tells it, in the order of Python's own traceback."""
    with carrying_what_came_with(exc_info[1]):
        return "\n".join(_told(exc_info[1], exc_info[2], seen=set()))


def exception_told(error: BaseException) -> str:
    """Return what ``format_exception`` does for an exception that is at hand."""
    return format_exception((type(error), error, error.__traceback__))


def message_of(error: BaseException) -> str:
    """Return the text of one exception, without the values that it may quote."""
    try:
        text = _message(error)
    except Exception as broken:  # whatever a stranger's __str__ raises
        text = f"(its text cannot be told: {type(broken).__name__})"
    return text if len(text) <= _MOST_TEXT else text[:_MOST_TEXT] + " …"


def _told(error: BaseException, trace: TracebackType | None, *, seen: set[int]) -> Iterator[str]:
    seen.add(id(error))
    cause, context = error.__cause__, error.__context__
    if cause is not None and id(cause) not in seen:
        yield from (*_told(cause, cause.__traceback__, seen=seen), "", _CAUSE, "")
    elif context is not None and id(context) not in seen and not error.__suppress_context__:
        yield from (*_told(context, context.__traceback__, seen=seen), "", _CONTEXT, "")
    if trace is not None:
        yield "Traceback (most recent call last):"
        yield from (one.rstrip("\n") for one in traceback.format_tb(trace))
    if isinstance(error, SyntaxError) and error.filename:
        yield f'  File "{error.filename}", line {error.lineno}'
    message = message_of(error)
    name = f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins.")
    yield f"{name}: {message}" if message else name
    for note in getattr(error, "__notes__", ()):
        yield redacted(str(note))
    if isinstance(error, BaseExceptionGroup):
        for number, one in enumerate(error.exceptions[:_MOST_IN_A_GROUP], 1):
            yield f"  -- {number} of {len(error.exceptions)} --"
            yield from (f"  {line}" for line in _told(one, one.__traceback__, seen=seen))


def _message(error: BaseException) -> str:
    from django.core.exceptions import ValidationError
    from django.db import Error as DjangoDatabaseError
    from psycopg import Error as PsycopgError
    from pydantic import ValidationError as TypeRefused
    from pydantic_core import PydanticCustomError

    cause: Any = error.__cause__
    if isinstance(error, PsycopgError):
        return _of_database(error)
    if isinstance(error, DjangoDatabaseError) and isinstance(cause, PsycopgError):
        return _of_database(cause)
    if isinstance(error, TypeRefused):
        return "; ".join(
            f"{'.'.join(map(str, one['loc'])) or error.title}: {one['type']}"
            for one in error.errors(include_input=False, include_context=False, include_url=False)
        )
    if isinstance(error, PydanticCustomError):
        return error.type
    if isinstance(error, ValidationError):
        return redacted("; ".join(_of_validation(error)))
    if isinstance(error, SyntaxError):
        return str(error.msg)
    return redacted(str(error))


def _of_database(error: Any) -> str:
    """Return state, message and names of a refusal by PostgreSQL: no DETAIL, no statement, no value."""
    diagnosis = error.diag
    if error.sqlstate is None:  # it comes from the client library, or from a connection that failed
        return redacted(str(error))
    said = diagnosis.message_primary or ""
    names = {name: getattr(diagnosis, name) for name in _DIAGNOSED if getattr(diagnosis, name)}
    if error.sqlstate[:2] not in _NAMES_ONLY:
        said = _QUOTED.sub(
            lambda found: found[0] if found[0][1:-1] in names.values() else HIDDEN, said
        )
    told = [f"SQLSTATE {error.sqlstate}", redacted(said)]
    told += [f"{name.removesuffix('_name')} {value}" for name, value in names.items()]
    return ", ".join(filter(None, told))


def _of_validation(error: Any) -> Iterator[str]:
    """Yield code and unfilled message of each error: what fills them is the value."""
    if hasattr(error, "error_dict"):
        for field, errors in error.error_dict.items():
            yield from (f"{field}: {text}" for one in errors for text in _of_validation(one))
    elif hasattr(error, "message"):
        yield f"{error.code}: {error.message}" if error.code else str(error.message)
    else:
        for one in error.error_list:
            yield from _of_validation(one)
