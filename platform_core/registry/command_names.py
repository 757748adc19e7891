"""The commands of ``platformctl`` that are the core's, by their first word."""

from __future__ import annotations

from typing import Final

CORE_COMMANDS: Final = frozenset(
    [
        "api",
        "audit",
        "check",
        "db",
        "events",
        "import",
        "init",
        "mail",
        "migrate",
        "plugin",
        "run",
        "settings",
        "startplugin",
        "tasks",
        "worker",
    ]
)
"""No plugin may contribute a command that begins like one of these."""
