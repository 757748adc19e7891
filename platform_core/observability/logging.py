"""JSON logs: application, requests and security each in a stream of their own, rotated by size."""

from __future__ import annotations

import json
import logging
import logging.config
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson
import structlog

if TYPE_CHECKING:
    from collections.abc import Callable

    from structlog.typing import EventDict, WrappedLogger

    from platform_core.conf.deployment import Deployment

REQUEST_LOGGER = "platform_core.requests"
SECURITY_LOGGER = "platform_core.security"


def add_context(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Add the request id and the owning plugin of the current request, where there is one."""
    for name, value in structlog.contextvars.get_contextvars().items():
        event.setdefault(name, value)
    return event


PROCESSORS: list[Any] = [
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.stdlib.ExtraAdder(allow={"request_id", "plugin", "code", "user_id"}),
    add_context,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.format_exc_info,
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
        """Return the line of ``record``."""
        line: str | None = getattr(record, "line", None)
        return super().format(record) if line is None else line


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
        },
    }


def configure(config: dict[str, Any]) -> None:
    """Apply ``LOGGING`` and let structlog write through it; Django calls this at set-up."""
    structlog.configure(
        processors=[*PROCESSORS, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    logging.config.dictConfig(config)
