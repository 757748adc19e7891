"""A finding of the doctor: what, where, why it matters, and the command that mends it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

from platform_core.registry.problems import PluginProblem

Severity = Literal["error", "warning", "notice"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "notice")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One finding; ``code`` is stable and for machines, ``plugin`` is empty for the deployment."""

    code: str
    severity: Severity
    what: str
    where: str
    why: str
    mend: str
    plugin: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain JSON data."""
        return asdict(self)


def ordered(findings: Iterable[Finding]) -> list[Finding]:
    """Return each finding once, the worst first."""
    return sorted(
        dict.fromkeys(findings),
        key=lambda one: (SEVERITIES.index(one.severity), one.plugin, one.code, one.where),
    )


def from_problem(problem: PluginProblem) -> Finding:
    """Return the finding that a problem of the boot is."""
    return Finding(
        code=problem.code,
        severity="error",
        plugin=problem.plugin,
        what=problem.message,
        where=problem.place,
        why=WHY.get(problem.code, "The deployment does not start like this."),
        mend=problem.way_out,
    )


WHY = {
    "unlisted_plugin": "Django would trip over tables whose models it does not know.",
    "database_newer": "This code does not know the tables as they are.",
    "migrations_pending": "The code expects tables and columns that are not there yet.",
    "database_unreachable": "Nothing can be served, and nothing about the data can be judged.",
    "embedded_database": "Nothing can be served, and nothing about the data can be judged.",
    "digest_skew": "Processes that differ would answer differently; readiness fails.",
}
