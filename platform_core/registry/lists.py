"""The two lists of a deployment: what is wanted enabled, and what dormant."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Lists:
    """The wanted plugins of a deployment, in the order of the file."""

    plugins: tuple[str, ...] = ()
    dormant: tuple[str, ...] = ()

    def state_of(self, slug: str) -> str:
        """Return ``enabled``, ``dormant`` or ``available``."""
        if slug in self.plugins:
            return "enabled"
        return "dormant" if slug in self.dormant else "available"

    def without(self, slug: str) -> Lists:
        """Return the lists without ``slug``."""
        return Lists(
            plugins=tuple(one for one in self.plugins if one != slug),
            dormant=tuple(one for one in self.dormant if one != slug),
        )

    def as_dict(self) -> dict[str, list[str]]:
        """Return the lists under the names that ``platform.toml`` uses."""
        return {"plugins": list(self.plugins), "dormant_plugins": list(self.dormant)}
