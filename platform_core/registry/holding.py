"""Plugins that are listed and yet not in the state that the lists ask for, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from platform_core.registry.problems import PluginProblem

Standing = Literal["quarantined", "broken"]
"""How a plugin is held back: loaded like a dormant one, or left out because it cannot be loaded at all."""
Standings = Mapping[str, Standing]


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldBack:
    """A listed plugin that quarantine or safe mode keeps from its state; ``because`` names a plugin held back too."""

    slug: str
    state: Standing | Literal["safe_mode"]
    because: str = ""
    problems: tuple[PluginProblem, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain JSON data."""
        return asdict(self)

    def __str__(self) -> str:
        if self.state == "safe_mode":
            return f"{self.slug} is dormant: safe mode."
        how = "quarantined" if self.state == "quarantined" else "broken and not loaded"
        why = f" because of {self.because}" if self.because else ""
        said = " ".join(problem.message for problem in self.problems)
        return f"{self.slug} is {how}{why}: {said}".rstrip(": ")
