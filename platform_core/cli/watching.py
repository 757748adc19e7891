"""Report the plugin that ends a command while it starts: a process beside it speaks when the command cannot any more."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import typer

from platform_core.cli.output import fail
from platform_core.registry.endings import Ending
from platform_core.registry.steps import telling


@contextmanager
def watched(*, as_json: bool) -> Iterator[None]:
    """Let a forked process report the plugin in whose step of loading this one ends, or hangs, within the block.

    It takes a few milliseconds, and is gone after the block. A step that takes too long ends the command with code 1.
    """
    reader, writer = os.pipe()
    watcher = os.fork()
    if watcher == 0:
        _watch(reader, as_json=as_json)
    os.close(reader)
    try:
        with telling(writer):
            yield
    finally:
        os.close(writer)
        with suppress(ChildProcessError):
            os.waitpid(watcher, 0)


def _watch(reader: int, *, as_json: bool) -> None:
    """Read until the other end is gone, report if that was within a step, and end the process."""
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the command tells of Ctrl-C itself
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.dup2(reader, 3)
        os.closerange(4, os.sysconf("SC_OPEN_MAX"))  # locks, and the end that this one waits for
        with os.fdopen(3, "rb") as stream:
            told = stream.read().decode("utf-8", "replace")
        ending = Ending(told)
        problem = ending.problem() if ending.step[0] else None
        if problem:
            with suppress(typer.Exit):
                fail([problem], as_json=as_json)
    finally:
        os._exit(0)
