"""The hooks that identity publishes: what other plugins may add to the profile of whoever is signed in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from platform_core.access import Actor
from platform_core.hookspecs import hookspec

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileSection:
    """A part of ``GET /api/v1/identity/me/``; ``name`` is ``<slug>.<section>``.

    ``data`` is called with the signed-in user at each request and returns what JSON can hold. It looks at what the
    user may see only, and keeps to a query or two.
    """

    name: str
    title: StrOrPromise
    data: Callable[[Actor], Any]


@hookspec
def profile_sections() -> Sequence[ProfileSection]:
    """Return the sections that the plugin adds to the profile of the signed-in user."""
