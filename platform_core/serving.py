"""How a web server gets a deployment's application: whole, or one clear report of why it cannot start."""

from __future__ import annotations

import sys
from typing import Final

import structlog
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.db import connections
from django.urls import get_resolver
from django.utils.translation import gettext, override

from platform_core.cli.boot import boot, lasting
from platform_core.conf.database import limit_waiting
from platform_core.observability.exceptions import exception_told
from platform_core.observability.metrics import share_metrics
from platform_core.registry import installed
from platform_core.registry.problems import PluginErrors

log = structlog.get_logger(__name__)

CANNOT_START: Final = 3
"""The exit code by which gunicorn's workers tell it not to start them again."""


def wsgi_application() -> WSGIHandler:
    """Set Django up and return the application, with everything made that requests need and processes can share.

    When plugins or settings keep it from starting, every problem is written to standard error, without a traceback,
    and the process ends with ``CANNOT_START``. Only here the database's limits of time are set: migrations and imports
    run in other processes and may take as long as they need. No connection and no thread is left behind, so that a
    server may fork afterwards.
    """
    try:
        share_metrics(settings.PLATFORM_DATA_DIR)
        boot()
    except PluginErrors as found:
        count = len(found.problems)
        lines = [f"The deployment cannot start: {count} problem{'s' if count != 1 else ''}."]
        lines += [f"  {problem}" for problem in found.problems]
        sys.stderr.write("\n".join(lines) + "\n")
        raise SystemExit(CANNOT_START) from None
    except Exception as error:  # the server would print it with everything that it quotes
        sys.stderr.write(f"The deployment cannot start.\n{exception_told(error)}\n")
        raise SystemExit(CANNOT_START) from None
    core = settings.PLATFORM.deployment.core
    limit_waiting(
        connections.settings["default"]["OPTIONS"],
        lock_s=core.database_lock_timeout,
        statement_s=core.database_statement_timeout,
    )
    with lasting():
        application = WSGIHandler()
        _warm()
    _leave_no_connection()
    return application


def _warm() -> None:
    """Make the URLs, the plan of every resource and the translations; without it each worker makes its own."""
    from platform_core.resource.declared import prepare  # needs loaded models

    resolver = get_resolver()
    resolver.reverse_dict  # noqa: B018  (a cached property: all URLs, both ways)
    for entry in installed().entries["resources"]:
        try:
            prepare(entry.item)
        except Exception:  # a stranger's serializer: its own requests fail, those of others do not
            log.exception("resource cannot be prepared", resource=entry.key, plugin=entry.owner)
    for language, _ in settings.LANGUAGES:
        with override(language):
            gettext(language)


def _leave_no_connection() -> None:
    """Close what a plugin opened while it was loaded: a connection, or a pool's threads, must not be forked."""
    for connection in connections.all(initialized_only=True):
        connection.close()
        if hasattr(connection, "close_pool"):
            connection.close_pool()
