"""Class attributes that are nearly one of those that a base class declares: a misspelt one would be passed over."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Iterator

ALIKE = 0.85


def misspelt(cls: type, base: type) -> Iterator[tuple[str, str]]:
    """Yield each attribute between ``cls`` and its ``base`` that is no one's, with that of ``base`` which it resembles."""
    kinds = inspect.get_annotations(base)
    declared = [name for name, kind in kinds.items() if str(kind).startswith("ClassVar")]
    for one in cls.__mro__[: cls.__mro__.index(base)]:
        for name, value in vars(one).items():
            own = name.startswith("_") or inspect.isroutine(value) or isinstance(value, property)
            if own or name in kinds or hasattr(base, name):
                continue
            for meant in difflib.get_close_matches(name, declared, 1, ALIKE):
                yield name, meant
