"""Who acts: the actor of a request, task or command, and the context that carries it."""

from __future__ import annotations

from contextvars import ContextVar, Token
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Self
from uuid import UUID

from platform_core.access.grants import Grants, installed_grant_source

if TYPE_CHECKING:
    from types import TracebackType

ActorKind = Literal["user", "service", "system", "anonymous"]

_IDENTIFIED: tuple[ActorKind, ...] = ("user", "service")
_KINDS: tuple[ActorKind, ...] = ("user", "service", "system", "anonymous")


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody or something that acts; one instance per request or task keeps its grants.

    A ``user`` or ``service`` has an id, ``system`` and ``anonymous`` have none. Two actors are
    equal when kind, id and label are. Raises ``ValueError`` for an unknown kind or an id that does
    not fit the kind, ``TypeError`` for an id that is no ``UUID``.
    """

    id: UUID | None
    kind: ActorKind
    label: str = ""
    _grants: Grants | None = field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.kind not in _KINDS:
            raise ValueError(f"An actor's kind is one of {', '.join(_KINDS)}, not {self.kind!r}.")
        if self.id is not None and not isinstance(self.id, UUID):
            raise TypeError(f"An actor's id is a uuid.UUID, not {type(self.id).__name__}.")
        if (self.id is not None) != (self.kind in _IDENTIFIED):
            wanted = "needs an id" if self.kind in _IDENTIFIED else "has no id"
            raise ValueError(f"An actor of kind {self.kind!r} {wanted}.")

    @property
    def is_authenticated(self) -> bool:
        """Tell whether the actor is known: everybody but the anonymous one."""
        return self.kind != "anonymous"

    @property
    def grants(self) -> Grants:
        """Return what the actor was granted, read once per instance from the grant source.

        System and anonymous actors hold nothing: there is no bypass.
        """
        if self._grants is None:
            source = installed_grant_source()
            held = source.grants(self) if source and self.kind in _IDENTIFIED else Grants.none()
            self.keep_grants(held)
            return held
        return self._grants

    def keep_grants(self, grants: Grants) -> None:
        """Let ``grants``, which whoever recognised the actor has just read, be those of this instance."""
        object.__setattr__(self, "_grants", grants)


ANONYMOUS = Actor(None, "anonymous")
"""The actor of a request that nobody signed in for."""


def system_actor(label: str = "") -> Actor:
    """Return an actor for work that no person asked for; ``label`` names the command or job."""
    return Actor(None, "system", label)


class ActorReference:
    """The type of ``actor``, which stands in a rule for whoever asks."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "actor"


actor = ActorReference()
"""Stands for whoever asks: ``Where("owner", actor)``."""


@dataclass(frozen=True, slots=True)
class _Context:
    actor: Actor
    request_id: str | None = None
    reason: str = ""


_current: ContextVar[_Context] = ContextVar("platform_core_actor")
_COMMAND_LINE = _Context(system_actor())


def current_actor() -> Actor:
    """Return the actor of the running request or task.

    Outside both (command line, migrations) it is a system actor without a label.
    """
    return _current.get(_COMMAND_LINE).actor


def current_request_id() -> str | None:
    """Return the id of the running request, or ``None`` outside one."""
    return _current.get(_COMMAND_LINE).request_id


def current_reason() -> str:
    """Return why the running work is done, as history records it; empty when nobody said."""
    return _current.get(_COMMAND_LINE).reason


class Acting:
    """The context manager that ``acting_as`` returns.

    It cannot be used as a decorator: around a coroutine function that would end before the work
    begins.
    """

    __slots__ = ("_context", "_tokens")

    def __init__(self, context: _Context) -> None:
        self._context = context
        self._tokens: list[Token[_Context]] = []

    def __enter__(self) -> Self:
        self._tokens.append(_current.set(self._context))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        _current.reset(self._tokens.pop())


def acting_as(actor: Actor, *, request_id: str | None = None, reason: str = "") -> Acting:
    """Make ``actor`` the current one inside a ``with`` block, in this thread or asyncio task only.

    A request id or reason that is not given is that of the surrounding block.
    """
    if not isinstance(actor, Actor):
        raise TypeError(f"acting_as() takes an Actor, not {type(actor).__name__}.")
    outer = _current.get(_COMMAND_LINE)
    return Acting(_Context(actor, request_id or outer.request_id, reason or outer.reason))
