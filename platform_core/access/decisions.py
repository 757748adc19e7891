"""The only gate: may this actor do that, to this row, to any row, and to which rows of a list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeVar

from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from platform_core.access.permissions import installed_permissions

if TYPE_CHECKING:
    from django.db.models import Model, QuerySet
    from django_stubs_ext import StrOrPromise

    from platform_core.access.actors import Actor

DecisionCode = Literal["allowed", "unauthenticated", "denied", "unknown_permission", "not_visible"]

AnyModel = TypeVar("AnyModel", bound="Model")


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer of the gate, true exactly when allowed; ``reason`` is for the person who asked."""

    allowed: bool
    code: DecisionCode
    reason: StrOrPromise = ""

    def __bool__(self) -> bool:
        return self.allowed


ALLOWED = Decision(True, "allowed")
UNKNOWN_PERMISSION = Decision(False, "unknown_permission", _("This is not available."))
UNAUTHENTICATED = Decision(False, "unauthenticated", _("Sign in first."))
NOT_VISIBLE = Decision(False, "not_visible", _("There is no such object."))


def decide(actor: Actor, permission: str, obj: Model | None = None) -> Decision:
    """Decide whether ``actor`` has ``permission``, on ``obj`` when it is about a model.

    A permission that is about no model is decided for the deployment, whatever ``obj`` is. Raises
    ``ObjectRequired`` when the rule depends on the row and there is none, ``TypeError`` for a row
    of another model. An error inside a rule passes through: it is neither yes nor no.
    """
    registry = installed_permissions()
    known = registry.get(permission)
    if known is None:
        return UNKNOWN_PERMISSION
    model = registry.model_of(permission)
    if model is None:
        obj = None
    elif obj is not None and not isinstance(obj, model):
        raise TypeError(f"{permission} is about {model._meta.label}, not {type(obj).__name__}.")
    if known.rule.test(actor, obj, model=model):
        return ALLOWED
    if not actor.is_authenticated:
        return UNAUTHENTICATED
    explanation = known.rule.explain(actor, obj, model=model)
    return Decision(
        False, "denied", format_lazy(_("This needs {condition}."), condition=explanation.text)
    )


def may_some(actor: Actor, permission: str) -> bool:
    """Tell whether ``actor`` could have ``permission`` on some row, for menus and buttons.

    It may say yes where no such row exists, never no where one could.
    """
    registry = installed_permissions()
    known = registry.get(permission)
    return known is not None and known.rule.may_hold(actor, registry.model_of(permission))


def scope(actor: Actor, permission: str, queryset: QuerySet[AnyModel]) -> QuerySet[AnyModel]:
    """Return the rows of ``queryset`` on which ``decide`` would answer yes, in one query.

    Nothing for an unknown permission. Raises ``TypeError`` for a queryset of another model.
    """
    registry = installed_permissions()
    known = registry.get(permission)
    if known is None:
        return queryset.none()
    model = registry.model_of(permission)
    if model is None:
        return queryset.all() if known.rule.test(actor, None) else queryset.none()
    if not issubclass(queryset.model, model):
        raise TypeError(
            f"{permission} is about {model._meta.label}, not {queryset.model._meta.label}."
        )
    return queryset.filter(known.rule.q(actor, model))
