"""What a task that takes a context gets: its job's key, progress, and whether it was asked to stop."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from platform_core.tasks.engine import Control
from platform_core.tasks.standard import TaskContext

if TYPE_CHECKING:
    _StandardContext = TaskContext[..., Any]
else:
    _StandardContext = TaskContext  # generic for type checkers only


class Cancelled(Exception):
    """The job was asked to stop, and stops here; what it did in its transaction is undone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Context(_StandardContext):  # type: ignore[misc]  # frozen, whatever the stubs say
    """The context of one attempt of a job."""

    control: Control

    @property
    def key(self) -> str:
        """Return what is the same at each attempt of this job and at no other job."""
        return self.task_result.id

    @property
    def cancelled(self) -> bool:
        """Tell whether the job was asked to stop; nobody stops it but itself."""
        return self.control.cancelled

    def check(self) -> None:
        """Raise ``Cancelled`` when the job was asked to stop."""
        if self.control.cancelled:
            raise Cancelled

    def progress(self, done: int, total: int = 0, note: str = "") -> None:
        """Say how far the job is, and stop by ``Cancelled`` when it was asked to.

        It costs next to nothing: the worker writes the latest about once a second. ``note`` is for people and holds no
        secret.
        """
        self.control.progress = (done, total, note[:200])
        self.check()
