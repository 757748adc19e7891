"""Settings that may be changed while the deployment runs: which they are, and the values that this process knows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, TypeVar

from platform_core.conf.settings import PluginSettings

S = TypeVar("S", bound=PluginSettings)

CORE: Final = ""
"""The core's own settings, among those of plugins by their slugs."""


@dataclass(frozen=True, slots=True)
class Editable:
    """Marks a field of typed settings that may be changed at run time: ``limit: Annotated[int, Editable()] = 5``.

    Whoever uses such a value asks ``settings_of`` for it each time, and keeps nothing that was made of it. A secret
    cannot be one, and the value is shown to whoever may view settings.
    """


@cache
def editable_names(cls: type[PluginSettings]) -> frozenset[str]:
    """Return the fields of ``cls`` that are marked ``Editable``."""
    return frozenset(
        name
        for name, field in cls.model_fields.items()
        if any(isinstance(one, Editable) for one in field.metadata)
    )


class Overrides:
    """Values that were set at run time, over those that the process started with; one for all threads."""

    def __init__(self) -> None:
        self.refresh: Callable[[], None] = lambda: None
        """Looks whether the values have changed, when it is time to; set once the models are loaded."""
        self._values: Mapping[str, Mapping[str, Any]] = {}
        self._made: dict[str, tuple[object, object, Any]] = {}

    def replace(self, values: Mapping[str, Mapping[str, Any]]) -> None:
        """Let ``values``, by slug and name and already validated, be those in force from now on."""
        self._values = values

    def of(self, slug: str) -> Mapping[str, Any]:
        """Return what was set of a plugin, or of the core."""
        self.refresh()
        return self._values.get(slug, {})

    def applied(self, slug: str, start: S) -> S:
        """Return the settings ``start``, which the process started with, as they are now."""
        own = self.of(slug)
        if not own:
            return start
        known = self._made.get(slug)
        if known is not None and known[0] is start and known[1] is own:
            made: S = known[2]
            return made
        made = start.model_copy(update=own)
        self._made[slug] = (start, own, made)
        return made


@cache
def overrides() -> Overrides:
    """Return this process's."""
    return Overrides()
