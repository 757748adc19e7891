"""Who may read and write a single field, beyond the row that it is in."""

from __future__ import annotations

from platform_core.access.leaves import Always
from platform_core.access.rules import Rule


class FieldAccess:
    """The rules of one field: ``view`` to see it, ``change`` to set it, each also about the row.

    Both come on top of what the resource's policy asks for the row. Without ``view`` everybody who sees the row sees
    the field; without ``change`` whoever may see the field may set it. Raises ``TypeError`` for what is no rule, and
    where neither is given.
    """

    __slots__ = ("change", "view")

    def __init__(self, *, view: Rule | None = None, change: Rule | None = None) -> None:
        if view is None and change is None:
            raise TypeError(
                "FieldAccess() needs view=<rule> or change=<rule>: else it says nothing."
            )
        for name, rule in (("view", view), ("change", change)):
            if rule is not None and not isinstance(rule, Rule):
                raise TypeError(
                    f"FieldAccess({name}=…) takes a rule like Granted('slug.view_x'), "
                    f"not {type(rule).__name__}."
                )
        self.view: Rule = Always() if view is None else view
        self.change: Rule = self.view if change is None else change

    def __repr__(self) -> str:
        return f"FieldAccess(view={self.view}, change={self.change})"
