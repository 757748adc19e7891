"""The count of what an import did, by model name."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from platform_core.contributions import ImportReport


@dataclass(slots=True)
class Counts:
    """Rows created, updated (restored and deleted ones included) and unchanged."""

    created: Counter[str] = field(default_factory=Counter)
    updated: Counter[str] = field(default_factory=Counter)
    unchanged: Counter[str] = field(default_factory=Counter)

    def add(self, name: str, *, created: int = 0, updated: int = 0, unchanged: int = 0) -> None:
        """Add to the counts of the model ``name``."""
        self.created[name] += created
        self.updated[name] += updated
        self.unchanged[name] += unchanged

    def report(self) -> ImportReport:
        """Return the counts as a report without problems."""
        return ImportReport(
            created=dict(self.created), updated=dict(self.updated), unchanged=dict(self.unchanged)
        )
