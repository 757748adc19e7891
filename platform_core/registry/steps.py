"""Say whose step of loading comes next, so that another process can tell where this one ended."""

from __future__ import annotations

import faulthandler
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Literal

from platform_core.registry.costs import noted

Step = Literal["apps", "settings", "models", "hookspecs", "hooks", "calls", "migrations", "imports"]
"""The parts of a plugin that run at start, in this order; ``imports`` are middleware, backends and the like."""
MARK = "@"
"""What a line begins with that names plugin and step, or nothing when one is over."""
STEP_LIMIT_S = 60
"""How long a step may take where no deployment says otherwise."""

_listener: int | None = None
_limit_s: float = STEP_LIMIT_S
_rest_s: float | None = None


class InterpreterExit(Exception):
    """A plugin raised what would have ended the interpreter, such as SystemExit."""


@contextmanager
def loading(slug: str, step: Step) -> Iterator[None]:
    """Tell whoever listens that this step of ``slug`` runs in the block, and note what it costs.

    What would end the interpreter is raised as InterpreterExit, so that it is reported like any other exception.
    """
    _tell(f"{slug} {step}")
    try:
        with noted(slug, step):
            yield
    except (Exception, KeyboardInterrupt):
        raise
    except BaseException as error:  # SystemExit and its like: one plugin must not end the others
        told = InterpreterExit(f"{type(error).__name__}({error})")
        raise told.with_traceback(error.__traceback__) from error
    finally:
        _tell("")


def limit_steps(seconds: float) -> None:
    """Let a step take so long in this process, while another one listens."""
    global _limit_s
    _limit_s = seconds


@contextmanager
def telling(descriptor: int, *, rest_s: float | None = None) -> Iterator[None]:
    """Write steps to ``descriptor`` during the block; also where the interpreter is when it crashes or is too slow.

    A step that takes longer than its limit ends the process with code 1, as does anything between two steps that
    takes longer than ``rest_s``.
    """
    global _listener, _rest_s
    before = faulthandler.is_enabled()
    _listener, _rest_s = descriptor, rest_s
    faulthandler.enable(descriptor)
    _tell("")
    try:
        yield
    finally:
        _listener = None
        faulthandler.cancel_dump_traceback_later()
        faulthandler.disable()
        if before:
            faulthandler.enable()


def _tell(what: str) -> None:
    if _listener is None:
        return
    with suppress(OSError):  # nobody listens any more
        os.write(_listener, f"{MARK}{what}\n".encode())
    limit = _limit_s if what else _rest_s
    if limit is None:
        faulthandler.cancel_dump_traceback_later()
    else:  # a thread in C, which a loop in C does not hold up either
        faulthandler.dump_traceback_later(limit, exit=True, file=_listener)
