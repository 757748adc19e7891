"""How a task is declared: the standard decorator with retries, unique keys and exactly-once effects."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar, overload

from platform_core.tasks.standard import InvalidTask, Task

DEFAULT_BACKEND = "default"
DEFAULT_QUEUE = "default"
_JITTER = 0.1

T = TypeVar("T")
UniqueKey = Callable[..., str | None]
"""Called with the arguments of a job; two jobs of one task with the same key are never queued or running together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """How often and when a task that raised is tried again.

    ``attempts`` counts the first one. The wait is ``wait_s`` seconds after the first failure and ``backoff`` times
    longer after each further one, ``max_wait_s`` at most, with a tenth of chance so that failures spread out. Only
    exceptions ``on`` are worth another attempt. Refusals (``DomainError``, permission denied, invalid input) never are.
    """

    attempts: int = 5
    wait_s: float = 10.0
    backoff: float = 2.0
    max_wait_s: float = 3600.0
    on: tuple[type[Exception], ...] = (Exception,)

    def __post_init__(self) -> None:
        if self.attempts < 1 or self.wait_s < 0 or self.backoff < 1 or self.max_wait_s < 0:
            raise ValueError("A Retry has attempts >= 1, waits >= 0 and a backoff >= 1.")

    def wait_after(self, failures: int, error: Exception) -> float | None:
        """Return the seconds to wait after so many ``failures``, the last one being ``error``; None to give up."""
        if failures >= self.attempts or not isinstance(error, self.on):
            return None
        wait = min(self.wait_s * self.backoff ** (failures - 1), self.max_wait_s)
        return wait * random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311  # nosec B311  (spreads load, hides nothing)


NO_RETRY = Retry(attempts=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformTask(Task[..., T]):
    """A standard task with the platform's additions; ``task`` makes it.

    The queue is the slug of the plugin that contributes it and cannot be chosen.
    """

    retry: Retry = NO_RETRY
    unique: UniqueKey | None = field(default=None)
    atomic: bool = True
    settled: Callable[[Any, Any], None] | None = field(default=None)
    """Told of the job and its outcome when it ends without success, in the same transaction; for the core itself."""

    def __post_init__(self) -> None:
        Task.__post_init__(self)
        if self.queue_name != DEFAULT_QUEUE:
            raise InvalidTask(
                f"{self.module_path} names a queue. Leave it out: the queue is the slug of the plugin that contributes "
                "the task, so that a dormant plugin's jobs wait."
            )


@overload
def task(function: Callable[..., T], /) -> PlatformTask[T]: ...


@overload
def task(
    *,
    priority: int = ...,
    takes_context: bool = ...,
    retry: Retry = ...,
    unique: UniqueKey | Literal[True] | None = ...,
    atomic: bool = ...,
) -> Callable[[Callable[..., T]], PlatformTask[T]]: ...


def task(
    function: Callable[..., Any] | None = None,
    /,
    *,
    priority: int = 0,
    takes_context: bool = False,
    retry: Retry = NO_RETRY,
    unique: UniqueKey | Literal[True] | None = None,
    atomic: bool = True,
) -> Any:
    """Make a module-level function a task; the plugin's hook ``tasks`` returns it.

    ``priority`` is -100 to 100, higher first. With ``takes_context`` the first parameter is ``context``, a
    ``Context`` with progress and cancellation. ``retry`` says what happens after an exception. ``unique`` is a
    function of the arguments that returns a key, or True for all arguments together: while a job with the key waits
    another is not added, and two never run at once.

    With ``atomic``, which is the default, the function and the note that it is done are one transaction: what it does
    to the database happens exactly once, however often its worker is killed. Without, it runs outside a transaction
    and at least once; ``context.key`` is the same at each attempt, for other systems that can refuse repetitions.
    """

    def wrapper(found: Callable[..., T]) -> PlatformTask[T]:
        return PlatformTask(
            func=found,
            priority=priority,
            backend=DEFAULT_BACKEND,
            queue_name=DEFAULT_QUEUE,
            takes_context=takes_context,
            retry=retry,
            unique=_all_arguments if unique is True else unique,
            atomic=atomic,
        )

    return wrapper if function is None else wrapper(function)


def _all_arguments(*args: Any, **kwargs: Any) -> str:
    import json

    return json.dumps([args, kwargs], sort_keys=True, ensure_ascii=False)
