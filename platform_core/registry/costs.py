"""What it costs to load each plugin: CPU and wall time of its imports and hooks, noted while a process starts."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

STAGES = ("apps", "models", "hooks", "calls")
"""What is told: import of ``apps.py``, of the models, of ``hooks.py``, and the calls of the hooks."""


@dataclass(slots=True)
class Cost:
    """Seconds on the clock and of CPU."""

    wall: float = 0.0
    cpu: float = 0.0


_noted: dict[tuple[str, str], Cost] = {}


@contextmanager
def noted(slug: str, stage: str) -> Iterator[None]:
    """Add the time of the block to what ``slug`` costs; a module counts for whoever imports it first."""
    wall, cpu = time.perf_counter(), time.thread_time()
    try:
        yield
    finally:
        cost = _noted.setdefault((slug, stage), Cost())
        cost.wall += time.perf_counter() - wall
        cost.cpu += time.thread_time() - cpu


def loading_cost(slug: str, stage: str) -> Cost:
    """Return what one stage of loading ``slug`` has cost in this process."""
    return _noted.get((slug, stage), Cost())
