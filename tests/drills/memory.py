"""Watch how much memory the processes of a served deployment hold."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Self

_SAMPLE_S = 0.02


def family(pid: int) -> Iterator[int]:
    """Yield ``pid`` and every process below it."""
    yield pid
    with suppress(OSError):  # it has ended
        for thread in Path(f"/proc/{pid}/task").iterdir():
            for child in (thread / "children").read_text().split():
                yield from family(int(child))


def resident_bytes(pid: int) -> int:
    """Return the memory that a process holds for itself, without what it shares with others; 0 when it has ended."""
    with suppress(OSError, StopIteration):
        status = Path(f"/proc/{pid}/status").read_text()
        line = next(one for one in status.splitlines() if one.startswith("RssAnon"))
        return int(line.split()[1]) * 1024
    return 0


class MemoryWatch:
    """Sample the memory of ``pid`` and all processes below it while a block runs; ``growth`` says what came of it."""

    def __init__(self, pid: int) -> None:
        """Name the process that started all others."""
        self._pid = pid
        self._stop = threading.Event()
        self._first: dict[int, int] = {}
        self._most: dict[int, int] = {}
        self._thread = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self) -> Self:
        """Take the first sample and go on."""
        self._first = {pid: resident_bytes(pid) for pid in family(self._pid)}
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Take no more samples."""
        self._stop.set()
        self._thread.join()

    @property
    def growth(self) -> int:
        """The most bytes by which one of the processes grew; one that came later counts whole."""
        return max((most - self._first.get(pid, 0) for pid, most in self._most.items()), default=0)

    @property
    def processes(self) -> set[int]:
        """The processes that were seen."""
        return {*self._first, *self._most}

    def _sample(self) -> None:
        while not self._stop.is_set():
            for pid in family(self._pid):
                self._most[pid] = max(self._most.get(pid, 0), resident_bytes(pid))
            self._stop.wait(_SAMPLE_S)
