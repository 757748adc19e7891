"""The policy of a resource: which permission each of its actions asks for."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from platform_core.access.decisions import NOT_VISIBLE, AnyModel, Decision, decide, may_some, scope
from platform_core.access.permissions import STANDARD_VERBS

if TYPE_CHECKING:
    from django.db.models import Model, QuerySet

    from platform_core.access.actors import Actor


class PolicyError(Exception):
    """A policy does not say which permission an action asks for."""


class Policy:
    """Maps actions to permission names; keyed by action, never by HTTP verb.

    ``view`` is always there, because lists are scoped by it and invisible rows are answered as
    missing.
    """

    __slots__ = ("actions",)

    def __init__(self, **actions: str) -> None:
        if "view" not in actions:
            raise PolicyError("A policy needs view=<permission>: lists are scoped by it.")
        for action, permission in actions.items():
            if not isinstance(permission, str) or "." not in permission:
                raise PolicyError(
                    f"{action}={permission!r}: give a permission's name, like 'slug.verb_model'."
                )
        self.actions: Mapping[str, str] = MappingProxyType(dict(actions))

    @classmethod
    def standard(cls, model: str, **extra: str) -> Policy:
        """Return the five standard actions on ``education.student``, and ``extra`` ones."""
        app_label, model_name = model.lower().split(".")
        standard = {verb: f"{app_label}.{verb}_{model_name}" for verb in STANDARD_VERBS}
        return cls(**{**standard, **extra})

    def permission(self, action: str) -> str:
        """Return the permission that ``action`` asks for, or raise ``PolicyError``."""
        try:
            return self.actions[action]
        except KeyError:
            raise PolicyError(
                f"The policy names no permission for {action!r}: add {action}=<permission> to it. "
                f"It knows {', '.join(self.actions)}."
            ) from None

    def scope(self, actor: Actor, queryset: QuerySet[AnyModel]) -> QuerySet[AnyModel]:
        """Return the rows of ``queryset`` that ``actor`` may view."""
        return scope(actor, self.permission("view"), queryset)

    def decide(self, actor: Actor, action: str, obj: Model | None = None) -> Decision:
        """Decide ``action``; on a stored row that may not even be viewed: ``not_visible``."""
        decision = decide(actor, self.permission(action), obj)
        if decision or obj is None or obj._state.adding or not actor.is_authenticated:
            return decision
        seen = decision if action == "view" else decide(actor, self.permission("view"), obj)
        return decision if seen else NOT_VISIBLE

    def may_some(self, actor: Actor, action: str) -> bool:
        """Tell whether ``actor`` could do ``action`` to some row, for menus and buttons."""
        return may_some(actor, self.permission(action))
