"""``plugin doctor``: everything that is wrong with a deployment, as far as it can be seen."""

from __future__ import annotations

from platform_core.registry.diagnosis_database import database_findings
from platform_core.registry.diagnosis_installation import installation_findings
from platform_core.registry.findings import Finding, from_problem, ordered
from platform_core.registry.situation import Situation

TOLD_BETTER = frozenset({"unlisted_plugin", "database_unreachable"})
"""Problems of the boot that the look at the database tells too, with more to go by."""


def diagnose(situation: Situation) -> list[Finding]:
    """Return the findings, the worst first; what keeps the deployment from starting is among them."""
    problems = [one for one in situation.problems if one.code not in TOLD_BETTER]
    return ordered(
        [
            *map(from_problem, problems),
            *installation_findings(situation),
            *database_findings(situation),
        ]
    )
