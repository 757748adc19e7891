"""Operations: what can be done to one object beyond changing its fields."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise
    from rest_framework.serializers import BaseSerializer

STANDARD_ACTIONS = frozenset(
    {"list", "retrieve", "create", "update", "partial_update", "destroy", "restore", "history"}
)
DERIVED_ACTIONS = frozenset({"diff", "revert"})
"""What a resource does as well when it exposes history, and history and changes."""
EXCHANGE_ACTIONS = frozenset({"export", "import"})
"""What a resource does as well when its policy says who may: its list as a file, and a file as its rows."""
_ATTRIBUTE = "_operation"
_NOT_NOW = _("This is not possible now.")

Method = TypeVar("Method", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """What ``@operation`` says about a method."""

    verb: str
    when: Callable[[Any], bool] | None
    reason: StrOrPromise
    flag: str | None
    serializer_class: type[BaseSerializer[Any]] | None
    background: bool = False
    method: str = ""

    @property
    def path(self) -> str:
        """Return the last part of the URL."""
        return self.verb.replace("_", "-")


def operation(
    *,
    verb: str,
    when: Callable[[Any], bool] | None = None,
    reason: StrOrPromise = _NOT_NOW,
    flag: str | None = None,
    serializer_class: type[BaseSerializer[Any]] | None = None,
    background: bool = False,
) -> Callable[[Method], Method]:
    """Make a method ``(self, obj, data)`` an operation: ``POST <id>/<verb>/``.

    The resource's policy decides the action ``verb``. ``when(obj)`` has to be true, otherwise the answer is 409 with
    ``reason``. ``data`` is the body as ``serializer_class`` validated it, or empty. The method runs inside the
    transaction with the row locked; it returns JSON data, or ``None`` to show the object as it now is.

    With ``background`` a client that sends ``Prefer: respond-async`` gets 202 and an operation to watch; all is checked
    before, and again when it runs, as the same actor. ``self.running`` then takes progress, else it is ``None``. The
    result is kept for a week, so that it should hold no secret.

    Raises ``ValueError`` when ``verb`` is not a lower-case word or is a standard action, and ``TypeError`` when ``when``
    cannot be called.
    """
    if when is not None and not callable(when):
        raise TypeError(f"when={when!r} of the operation {verb!r} is no function of the object")
    if (
        not verb.isidentifier()
        or verb != verb.lower()
        or verb in STANDARD_ACTIONS | DERIVED_ACTIONS | EXCHANGE_ACTIONS
    ):
        raise ValueError(f"{verb!r} cannot name an operation")

    def mark(method: Method) -> Method:
        setattr(
            method,
            _ATTRIBUTE,
            Operation(
                verb=verb,
                when=when,
                reason=reason,
                flag=flag,
                serializer_class=serializer_class,
                background=background,
                method=method.__name__,
            ),
        )
        return method

    return mark


@cache
def operations_of(resource: type) -> Mapping[str, Operation]:
    """Return the operations of a resource class by verb, those of its bases first."""
    found: dict[str, Operation] = {}
    for base in reversed(resource.__mro__):
        for attribute in vars(base).values():
            one = getattr(attribute, _ATTRIBUTE, None)
            if isinstance(one, Operation):
                found[one.verb] = one
    return found
