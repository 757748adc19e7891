"""What tests of any plugin use: a real PostgreSQL, rows, actors, and the contract suite.

The pytest plugin is active wherever the distribution is installed. In a project without a deployment,
``platform_plugins = ["identity", "library"]`` below ``[tool.pytest.ini_options]`` says what is enabled.

``make``, ``make_many``, ``make_in_unit``
    Save rows of any model, filling what is required; ``FACTORIES`` in a plugin's module ``testing`` knows better.
``new_user``, ``client_for``, ``GrantsDouble``, ``granting`` and the fixture ``grants``
    An actor, its JSON client, and what it holds, without users and tokens of any plugin.
``check_rule``
    The property gate of a rule: lists, decisions and explanations agree.
``platform_core.testing.contract``
    The suite that every plugin passes: ``from platform_core.testing.contract import *`` in a test module.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from platform_core.testing.actors import GrantsDouble, client_for, granting, new_user
    from platform_core.testing.factories import RowNotMade, make, make_in_unit, make_many
    from platform_core.testing.rule_gate import check_rule

_HOMES = {
    "GrantsDouble": "actors",
    "RowNotMade": "factories",
    "check_rule": "rule_gate",
    "client_for": "actors",
    "granting": "actors",
    "make": "factories",
    "make_in_unit": "factories",
    "make_many": "factories",
    "new_user": "actors",
}

__all__ = [
    "GrantsDouble",
    "RowNotMade",
    "check_rule",
    "client_for",
    "granting",
    "make",
    "make_in_unit",
    "make_many",
    "new_user",
]


def __getattr__(name: str) -> Any:
    """Load a name on first use: the pytest plugin is imported before Django's settings exist."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{home}"), name)
