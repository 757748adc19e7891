"""Engines that are wrong, each in a way of its own, for the drill of killed workers to find."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from django.db import transaction

from platform_core.tasks.procrastinate_claim import RowClaim
from platform_core.tasks.procrastinate_engine import ProcrastinateEngine


class _Acknowledged(RowClaim):
    """A claim that is complete already."""

    def complete(self) -> None:
        """Do nothing any more."""


class AcknowledgesFirst(ProcrastinateEngine):
    """Notes that a job is done before it runs."""

    def fetch(self, worker: int, queues: Sequence[str]) -> RowClaim | None:
        """Claim a job, and call it done."""
        claim = super().fetch(worker, queues)
        if claim is None:
            return None
        with transaction.atomic():
            claim.complete()
        return _Acknowledged(
            **{one.name: getattr(claim, one.name) for one in dataclasses.fields(claim)}
        )


class ForgetsTheDead(ProcrastinateEngine):
    """Never looks after the jobs of dead workers."""

    def stalled(self, after_s: float) -> Sequence[RowClaim]:
        """Find nothing."""
        return []
