"""JSON logs: application, requests and security each in a stream of their own, rotated by size."""

from __future__ import annotations

import json
import logging
import logging.config
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson
import structlog

from platform_core.observability.exceptions import format_exception
from platform_core.observability.interpreter import let_the_log_tell
from platform_core.observability.redaction import (
    fact_without_credentials,
    redacted_path,
    without_credentials,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from structlog.typing import EventDict, WrappedLogger

    from platform_core.conf.deployment import Deployment

REQUEST_LOGGER = "platform_core.requests"
SECURITY_LOGGER = "platform_core.security"

_LEVELLED = ("platform_core", REQUEST_LOGGER, SECURITY_LOGGER, "django.security")
"""The loggers whose level is the setting ``log_level``."""


def add_context(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Add the request id and the owning plugin of the current request, where there is one."""
    for name, value in structlog.contextvars.get_contextvars().items():
        event.setdefault(name, value)
    return event


def hide_secrets(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Take credentials out of everything the line says but ids and what names it; an exception has gone through already."""
    for name, value in event.items():
        if name == "path":
            event[name] = redacted_path(str(value))
        elif name not in _NAMED_BY_US and not name.startswith("_"):
            event[name] = fact_without_credentials(name, value)
    return event


_NAMED_BY_US = frozenset(
    {"logger", "level", "timestamp", "request_id", "error_id", "exception", "plugin"}
)

PROCESSORS: list[Any] = [
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.stdlib.ExtraAdder(allow={"request_id", "plugin", "code", "user_id"}),
    add_context,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.ExceptionRenderer(format_exception),
    hide_secrets,
]


def _as_json(event: Any, *, default: Callable[[Any], Any]) -> str:
    """Return ``event`` on one line, whatever it holds."""
    try:
        return orjson.dumps(event, default).decode()
    except TypeError:  # a number or a text that the fast encoder does not take
        return json.dumps(event, default=default)


class JSONLines(structlog.stdlib.ProcessorFormatter):
    """Writes records as JSON, and those that bring their line as that line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of ``record``; one that cannot be made says so without its arguments."""
        line: str | None = getattr(record, "line", None)
        if line is not None:
            return line
        try:
            return super().format(record)
        except Exception as error:  # logging itself would print the arguments
            facts = {"logger": record.name, "level": record.levelname.lower()}
            told = f"a line cannot be written: {type(error).__name__}"
            place = f"{record.pathname}:{record.lineno}"
            return _as_json({"event": told, "place": place, **facts}, default=str)


class PlainLines(logging.Formatter):
    """Writes records as gunicorn does, without what they quote of requests and exceptions."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the lines of ``record``."""
        return without_credentials(super().format(record))

    def formatException(self, ei: Any) -> str:  # noqa: N802  (the name is logging's)
        """Return an exception as every log of the platform tells it."""
        return format_exception(ei)


class Seldom(logging.Filter):
    """Lets a message through once a minute: while the database is away, a pool tells of each attempt by each thread."""

    def __init__(self, every_s: float = 60.0) -> None:
        super().__init__()
        self._every_s = every_s
        self._told_at: dict[object, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether ``record`` is the first of its kind for a while."""
        now = time.monotonic()
        known = self._told_at.get(record.msg)
        if known is not None and now - known < self._every_s:
            return False
        self._told_at[record.msg] = now
        return True


class RequestLog:
    """Writes the line of each request, with what ``PROCESSORS`` would give it and without their work.

    Handlers and levels are those of the logger, as for any other line.
    """

    def __init__(self) -> None:
        self.logger = logging.getLogger(REQUEST_LOGGER)

    def write(self, request_id: str, **facts: str | float) -> None:
        """Write one line with ``facts``."""
        if not self.logger.isEnabledFor(logging.INFO):
            return
        line = _as_json(
            {
                **facts,
                "path": redacted_path(str(facts.get("path", ""))),
                "event": "request",
                "logger": REQUEST_LOGGER,
                "level": "info",
                "request_id": request_id,
                "timestamp": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}",
            },
            default=str,
        )
        record = logging.LogRecord(REQUEST_LOGGER, logging.INFO, "", 0, "request", None, None)
        record.line = line
        self.logger.handle(record)


def logging_settings(deployment: Deployment, *, profile: str) -> dict[str, Any]:
    """Return the ``LOGGING`` of a deployment; tests log to the console stream only."""
    core = deployment.core
    handlers: dict[str, Any] = {
        "console": {"class": "logging.StreamHandler", "formatter": "json"},
    }
    to_files = profile != "test"
    if to_files:
        for name in ("application", "requests", "security"):
            handlers[name] = {
                "class": "platform_core.observability.rotation.RotatingLog",
                "filename": str(deployment.data_dir / "logs" / f"{name}.log"),
                "maxBytes": core.log_max_bytes,
                "backupCount": core.log_backups,
                "formatter": "json",
                "encoding": "utf-8",
                "delay": True,
                "chmod": 0o600,
            }

    def logger(name: str, *, level: str = core.log_level) -> dict[str, Any]:
        return {
            "handlers": [name] if to_files else ["console"],
            "level": level,
            "propagate": False,
        }

    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "json": {
                "()": "platform_core.observability.logging.JSONLines",
                "foreign_pre_chain": PROCESSORS,
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    structlog.processors.JSONRenderer(serializer=_as_json),
                ],
            }
        },
        "filters": {"seldom": {"()": "platform_core.observability.logging.Seldom"}},
        "handlers": handlers,
        "root": {
            "handlers": ["console", "application"] if to_files else ["console"],
            "level": "WARNING",
        },
        "loggers": {
            "platform_core": {"level": core.log_level},
            REQUEST_LOGGER: logger("requests"),
            SECURITY_LOGGER: logger("security"),
            "django.security": logger("security"),
            "django.request": {"level": "ERROR"},
            "gunicorn.error": {"level": "INFO"},
            "psycopg.pool": {"filters": ["seldom"]},
        },
    }


def set_level(level: str) -> None:
    """Let the least severe lines of the platform be those of ``level`` from now on."""
    for name in _LEVELLED:
        logging.getLogger(name).setLevel(level)


def configure(config: dict[str, Any]) -> None:
    """Apply ``LOGGING`` and let structlog write through it; Django calls this at set-up."""
    structlog.configure(
        processors=[*PROCESSORS, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    logging.config.dictConfig(config)
    let_the_log_tell()
