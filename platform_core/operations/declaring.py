"""How a function says that it may be run as an operation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class BackgroundFunction:
    """A function that operations may run; ``background`` makes it."""

    function: Callable[..., Any]
    atomic: bool

    @property
    def path(self) -> str:
        """Return the dotted path by which a worker finds it."""
        return f"{self.function.__module__}.{self.function.__qualname__}"


def background(*, atomic: bool = True) -> Callable[[Callable[..., Any]], BackgroundFunction]:
    """Let operations run a module-level function ``(operation: RunningOperation, **arguments)``.

    It returns JSON data, the operation's result. With ``atomic`` all that it does to the database and the operation's
    end are one transaction: it happens once or not at all. Without, it may run again from its start when its worker
    dies, which suits what only reads. Raises ``ValueError`` for a function inside another.
    """

    def mark(function: Callable[..., Any]) -> BackgroundFunction:
        if "<locals>" in function.__qualname__:
            raise ValueError(f"{function.__qualname__} has to stand at the top of its module.")
        return BackgroundFunction(function=function, atomic=atomic)

    return mark
