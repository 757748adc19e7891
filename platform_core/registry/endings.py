"""Find out which plugin ended a process, by the steps that it told and by where the interpreter was."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from platform_core.registry.discovery import Candidate, Candidates, discover
from platform_core.registry.problems import PluginProblem
from platform_core.registry.steps import MARK

_TIMEOUT: Final = "Timeout ("
_FRAME = re.compile(r'^  File "(.+)", line (\d+) in ', re.MULTILINE)
_MODULES: Final = {
    "apps": "apps",
    "models": "models",
    "hooks": "hooks",
    "calls": "hooks",
    "migrations": "migrations",
}
_DOINGS: Final = {
    "apps": "while its apps.py was imported",
    "settings": "while its settings were read",
    "models": "while its models were imported",
    "hookspecs": "while its hook specifications were imported",
    "hooks": "while its hooks.py was imported",
    "calls": "while its hooks were called",
    "migrations": "while its migrations were imported",
    "imports": "while its middleware, backends and authentication classes were imported",
}
BEFORE_MODELS: Final = frozenset({"apps_ended_start", "settings_ended_start"})
"""The codes of what ends each process that reads the settings of the deployment."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a process ended: what it told, and its exit code, negative for a signal; None when that is not known."""

    told: str
    code: int | None = None

    @property
    def step(self) -> tuple[str, str]:
        """The slug and the step that were running, both empty between steps."""
        marks = [line for line in self.told.splitlines() if line.startswith(MARK)]
        slug, _, step = (marks[-1] if marks else MARK).removeprefix(MARK).partition(" ")
        return slug, step

    @property
    def was_slow(self) -> bool:
        """Whether it was ended because it took too long."""
        return _TIMEOUT in self.told

    def problem(self, candidates: Candidates | None = None) -> PluginProblem | None:
        """Return the problem with the plugin that was at work; None when neither steps nor frames name one."""
        by_slug = _only(discover() if candidates is None else candidates)
        slug, step = self.step
        if not slug:
            slug = self._innermost(by_slug)
        if not slug:
            return None
        doing = _DOINGS.get(step, "while its code ran")
        return PluginProblem(
            plugin=slug,
            code=f"{step}_ended_start" if step else "start_ended",
            place=self._place(by_slug.get(slug), step),
            message=f"It {self._manner()} {doing}.",
            way_out="Repair the plugin, or remove it from the lists.",
        )

    def _manner(self) -> str:
        if self.was_slow:
            return "did not come to an end, and was stopped,"
        if self.code is None:
            return "ended the process"
        if self.code >= 0:
            return f"ended the process with code {self.code}"
        name = signal.Signals(-self.code).name
        told = ", which the system also sends when memory runs out," if name == "SIGKILL" else ""
        return f"ended the process by {name}{told}"

    def _innermost(self, by_slug: Mapping[str, Candidate]) -> str:
        """Return the plugin of the innermost frame that lies in one; empty without a trace."""
        for file, _line in _FRAME.findall(self.told):
            for slug, candidate in by_slug.items():
                if f"/{_folder(candidate)}/" in file:
                    return slug
        return ""

    def _place(self, candidate: Candidate | None, step: str) -> str:
        if candidate is None:
            return ""
        folder = _folder(candidate)
        for file, line in _FRAME.findall(self.told):
            _, found, after = file.rpartition(f"/{folder}/")
            if found:
                return f"{folder}/{after}:{line}"
        return ".".join(filter(None, (candidate.package, _MODULES.get(step))))


def _only(candidates: Mapping[str, Iterable[Candidate]]) -> dict[str, Candidate]:
    return {slug: next(iter(group)) for slug, group in candidates.items()}


def _folder(candidate: Candidate) -> str:
    return candidate.package.replace(".", "/")
