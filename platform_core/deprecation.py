"""What is going away: warnings that are named for the release which removes it, and the mark of such a hook."""

from __future__ import annotations

from typing import Any

from platform_core.hookspecs import hookspec


class RemovedInPlatform20Warning(DeprecationWarning):
    """What warns so works until 2.0 and is not there afterwards."""


def going_hookspec(removed_in: type[DeprecationWarning], instead: str) -> Any:
    """Return the decorator of a hook specification that is going away; implementing it warns at registration.

    The warning points at the implementation's file and line. ``instead`` says in a sentence what to implement.
    """
    release = removed_in.__name__.removeprefix("RemovedInPlatform").removesuffix("Warning")
    version = f"{release[:-1]}.{release[-1]}"
    return hookspec(warn_on_impl=removed_in(f"This hook goes away in {version}. {instead}"))
