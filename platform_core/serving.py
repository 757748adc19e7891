"""How a web server gets a deployment's application: whole, or one clear report of why it cannot start."""

from __future__ import annotations

import sys
from typing import Final

from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.db import connections

from platform_core.cli.boot import boot
from platform_core.conf.database import limit_waiting
from platform_core.registry.problems import PluginErrors

CANNOT_START: Final = 3
"""The exit code by which gunicorn's workers tell it not to start them again."""


def wsgi_application() -> WSGIHandler:
    """Set Django up and return the application.

    When plugins or settings keep it from starting, every problem is written to standard error, without a traceback,
    and the process ends with ``CANNOT_START``. Only here the database's limits of time are set: migrations and imports
    run in other processes and may take as long as they need.
    """
    try:
        boot()
    except PluginErrors as found:
        count = len(found.problems)
        lines = [f"The deployment cannot start: {count} problem{'s' if count != 1 else ''}."]
        lines += [f"  {problem}" for problem in found.problems]
        sys.stderr.write("\n".join(lines) + "\n")
        raise SystemExit(CANNOT_START) from None
    core = settings.PLATFORM.deployment.core
    limit_waiting(
        connections.settings["default"]["OPTIONS"],
        lock_s=core.database_lock_timeout,
        statement_s=core.database_statement_timeout,
    )
    return WSGIHandler()
