"""How many events of the audit trail wait for their seal: what is not sealed can be changed without anybody knowing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

LATE_S: Final = 900
"""Sealing happens each minute; what waits longer waits for somebody to look."""
MOST: Final = 100_000
QUESTION: Final = f"""
SELECT count(*), coalesce(extract(epoch FROM clock_timestamp() - min(at)), 0)::float8 FROM (
    SELECT at FROM platform_core_auditevent
    WHERE id > coalesce((SELECT max(event_id) FROM platform_core_auditseal), 0) ORDER BY id LIMIT {MOST}
) AS unsealed
"""  # noqa: S608  # nosec B608  (names of our own)
"""Events beyond the last that is sealed, counted up to ``MOST``, and the age of the oldest in seconds."""


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits: ``events`` in all, the oldest for ``seconds``."""

    events: int = 0
    seconds: float = 0.0

    @property
    def is_late(self) -> bool:
        """Whether it has waited longer than sealing takes to come round."""
        return self.seconds > LATE_S

    def __str__(self) -> str:
        more = "more than " if self.events >= MOST else ""
        minutes = int(self.seconds // 60)
        return f"{more}{self.events:,} events of the audit trail wait for their seal, the oldest for {minutes} minutes"


def backlog() -> Backlog:
    """Return what waits now; raises DatabaseError when the database cannot say."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(QUESTION)
        return Backlog(*cursor.fetchone())
