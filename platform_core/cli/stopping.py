"""How commands in the foreground are asked to stop: SIGINT and SIGTERM set an event."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable


class Stop:
    """Whether the operator asked to stop; set by SIGINT and SIGTERM."""

    def __init__(self) -> None:
        self.event = threading.Event()

    @property
    def requested(self) -> bool:
        """Whether a signal came."""
        return self.event.is_set()

    def __call__(self, signum: int, frame: object) -> None:
        """Remember the first signal; a second one ends the wait for a graceful stop."""
        if self.requested:
            raise KeyboardInterrupt
        self.event.set()


class stopping:  # noqa: N801  (reads as a verb where it is used)
    """Install one Stop for SIGINT and SIGTERM, and put the old handlers back."""

    def __enter__(self) -> Stop:
        self.stop = Stop()
        self.old: dict[int, Callable[..., object] | int | None] = {
            number: signal.signal(number, self.stop) for number in (signal.SIGINT, signal.SIGTERM)
        }
        return self.stop

    def __exit__(self, *_: object) -> None:
        for number, handler in self.old.items():
            signal.signal(number, handler)
