"""Run ``platformctl`` and kill it with SIGKILL at one named point: ``python -m`` this, MODULE:NAME, before or after, words."""

from __future__ import annotations

import functools
import importlib
import os
import signal
import sys
from typing import Any

import django

from platform_core.cli.app import main


def kill_at(place: str, when: str) -> None:
    """Let the process die as soon as Django is set up and the function at ``place`` is called, or has returned."""
    module, _, path = place.partition(":")
    set_up = django.setup

    def setup(*args: Any, **kwargs: Any) -> None:
        set_up(*args, **kwargs)
        owner: Any = importlib.import_module(module)
        *owners, name = path.split(".")
        for one in owners:
            owner = getattr(owner, one)
        original = getattr(owner, name)

        @functools.wraps(original)
        def dying(*args: Any, **kwargs: Any) -> Any:
            if when == "before":
                os.kill(os.getpid(), signal.SIGKILL)
            result = original(*args, **kwargs)
            os.kill(os.getpid(), signal.SIGKILL)
            return result

        setattr(owner, name, dying)

    django.setup = setup


if __name__ == "__main__":
    kill_at(sys.argv[1], sys.argv[2])
    main(sys.argv[3:])
