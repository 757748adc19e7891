"""What each setting means, as its class says it in the source."""

from __future__ import annotations

import ast
import inspect
import textwrap
from itertools import pairwise

from platform_core.conf.settings import PluginSettings


def meanings_of(cls: type[PluginSettings]) -> dict[str, str]:
    """Return each field's description, else the docstring below it in the source, else an empty text.

    The source is read when somebody asks and not when the class is made: a start does not pay for it.
    """
    told: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        if issubclass(base, PluginSettings) and base is not PluginSettings:
            told |= _docstrings(base)
    return {
        name: field.description or told.get(name, "") for name, field in cls.model_fields.items()
    }


def _docstrings(cls: type[PluginSettings]) -> dict[str, str]:
    try:
        source = textwrap.dedent(inspect.getsource(cls))
    except (OSError, TypeError):  # made at run time, or shipped without its source
        return {}
    tree = ast.parse(source).body[0]
    found: dict[str, str] = {}
    for node, after in pairwise(getattr(tree, "body", ())):
        if (
            isinstance(node, ast.AnnAssign)
            and isinstance(node.target, ast.Name)
            and isinstance(after, ast.Expr)
            and isinstance(after.value, ast.Constant)
            and isinstance(after.value.value, str)
        ):
            found[node.target.id] = inspect.cleandoc(after.value.value)
    return found
