"""Hold broken plugins back, so that the rest of the deployment starts without them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol, TypeVar

from platform_core.registry.endings import BEFORE_MODELS
from platform_core.registry.holding import HeldBack, Standing, Standings
from platform_core.registry.problems import PluginErrors, PluginProblem
from platform_core.registry.resolution import Resolution
from platform_core.registry.verdict import Case, Verdict

UNLOADABLE = frozenset(
    [
        "slug_not_allowed",
        "unknown_plugin",
        "duplicate_slug",
        "apps_import_failed",
        "config_invalid",
        "dependency_cycle",
        "models_import_failed",
        "absent_target",
        "apps_ended_start",
        "models_ended_start",
    ]
)
"""Problems that remain when the plugin is dormant, so it is left out at once."""


class Outcome(Protocol):
    """What came of resolving the lists with some plugins held back."""

    @property
    def resolution(self) -> Resolution:
        """The set that would be loaded."""
        raise NotImplementedError

    @property
    def problems(self) -> Sequence[PluginProblem]:
        """Everything that is wrong with it."""
        raise NotImplementedError


T = TypeVar("T", bound=Outcome)
Attempt = Callable[[Standings], T]
Probe = Callable[[Standings], Sequence[PluginProblem]]


class Cases:
    """The plugins that are held back, and why; it only grows.

    First a plugin is loaded like a dormant one. When that does not help, it is left out.
    """

    def __init__(self, found: Verdict | None = None) -> None:
        self.found: dict[str, Case] = dict(found or {})

    @property
    def standings(self) -> Standings:
        """How each plugin is held back."""
        return {slug: case.standing for slug, case in self.found.items()}

    def add(self, problems: Sequence[PluginProblem], resolution: Resolution) -> None:
        """Hold back the plugins that ``problems`` name.

        Raises PluginErrors with everything found so far when one belongs to no plugin or to one that cannot be held
        back, and when nothing is left that could be held back for it.
        """
        by_slug: dict[str, list[PluginProblem]] = {}
        for problem in problems:
            by_slug.setdefault(problem.plugin, []).append(problem)
        holdable = resolution.listed - resolution.indispensable
        before = self.standings
        if set(by_slug) <= holdable:
            for slug, own in by_slug.items():
                self._add(slug, own)
        if self.standings == before:
            earlier = [one for case in self.found.values() for one in case.problems]
            raise PluginErrors(list(dict.fromkeys((*problems, *earlier))))

    def adopt(self, verdict: Verdict) -> None:
        """Take over what an earlier start has found, beside what this one has."""
        for slug, case in verdict.items():
            own = self.found.get(slug)
            if own is None or case.standing == "broken":
                self.found[slug] = case

    def told(self, resolution: Resolution) -> Resolution:
        """Return ``resolution`` with what is held back in it, in the order of the slugs."""
        held = [self._held_back(slug, resolution) for slug in sorted(self.found)]
        asleep = [one for one in resolution.held_back if one.slug not in self.found]
        return replace(resolution, held_back=(*held, *asleep))

    def _add(self, slug: str, problems: Sequence[PluginProblem]) -> None:
        known = self.found.get(slug)
        unloadable = any(problem.code in UNLOADABLE for problem in problems)
        standing: Standing = "broken" if known or unloadable else "quarantined"
        told = (*(known.problems if known else ()), *problems)
        self.found[slug] = Case(standing=standing, problems=tuple(dict.fromkeys(told)))

    def _held_back(self, slug: str, resolution: Resolution) -> HeldBack:
        case = self.found[slug]
        along = all(problem.code == "requirement_not_enabled" for problem in case.problems)
        requires = next((one.requires for one in resolution.plugins if one.slug == slug), ())
        because = next((one for one in requires if one in self.found), "") if along else ""
        return HeldBack(slug=slug, state=case.standing, because=because, problems=case.problems)


def settle(attempt: Attempt[T], cases: Cases) -> T:
    """Hold plugins back until ``attempt`` finds nothing wrong, and return what it came to."""
    outcome = attempt(cases.standings)
    while outcome.problems:
        cases.add(outcome.problems, outcome.resolution)
        outcome = attempt(cases.standings)
    return outcome


def settle_by_probes(attempt: Attempt[T], cases: Cases, listed: frozenset[str], probe: Probe) -> T:
    """Boot the set in other processes, and hold plugins back, until one boots; return what it came to.

    Only what another process has survived is attempted in this one, so that no plugin ends it.
    """
    unread = Resolution(plugins=(), problems=(), listed=listed)
    while problems := probe(cases.standings):
        if BEFORE_MODELS & {one.code for one in problems}:
            cases.add(problems, unread)
        else:
            cases.add(problems, attempt(cases.standings).resolution)
            settle(attempt, cases)
    return settle(attempt, cases)


_imposed: Standings | None = None


def impose(held: Mapping[str, Standing]) -> None:
    """Let this process boot with exactly ``held`` held back: it was started to try that out."""
    global _imposed
    _imposed = held


def imposed() -> Standings | None:
    """Return what this process was started to try out, or None."""
    return _imposed
