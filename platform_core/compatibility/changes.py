"""One difference between two descriptions of an API, and whether what was declared to go was due to go."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

SUNSET = "x-sunset"
"""Beside ``deprecated: true``: the day from which a part of the API may be missing."""


@dataclass(frozen=True, slots=True)
class Change:
    """A difference; ``code`` is stable and for machines, ``where`` is the operation and the way into its schemas."""

    code: str
    where: str
    what: str
    breaking: bool

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain JSON data."""
        return asdict(self)


def breaks(code: str, where: str, what: str) -> Change:
    """Return a change that a client can trip over."""
    return Change(code, where, what, breaking=True)


def adds(code: str, where: str, what: str) -> Change:
    """Return a change that no client notices unless it wants to."""
    return Change(code, where, what, breaking=False)


def removal(
    code: str, where: str, what: str, old: Mapping[str, Any], today: datetime.date
) -> Change:
    """Return the removal of ``old``, which breaks unless it was deprecated and its sunset is past."""
    found = breaks(code, where, f"{what} is gone.")
    if not old.get("deprecated"):
        return found
    try:
        due = datetime.date.fromisoformat(str(old.get(SUNSET)))
    except ValueError:
        return replace(found, what=f"{what} is gone; it was deprecated, but without a sunset.")
    if due > today:
        return replace(found, what=f"{what} is gone before its sunset on {due}.")
    return adds(code, where, f"{what} is gone, as was said for {due}.")


def ordered(changes: Iterable[Change]) -> list[Change]:
    """Return each change once, what breaks first."""
    return sorted(
        dict.fromkeys(changes), key=lambda one: (not one.breaking, one.where, one.code, one.what)
    )
