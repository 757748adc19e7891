"""What the core tells over HTTP about the deployment that it is."""

from __future__ import annotations

from typing import Any

from platform_core.registry.cost_report import all_tables
from platform_core.runtime_settings.overview import settings_in_force
from platform_core.system import facts
from platform_core.system.listing import Listing
from platform_core.system.permissions import (
    VIEW_EVENT_TYPES,
    VIEW_SETTINGS,
    VIEW_SYSTEM,
    VIEW_TASKS,
)
from platform_core.tasks.overview import schedules
from platform_core.webhooks.catalogue import event_types

_TEXT = {"type": "string"}
_FLAG = {"type": "boolean"}
_NUMBER = {"type": "integer"}
_MAYBE = {"type": ["integer", "null"]}
_MOMENT = {"type": ["string", "null"], "format": "date-time"}
_TEXTS: dict[str, Any] = {"type": "array", "items": _TEXT}
_OBJECTS: dict[str, Any] = {"type": "array", "items": {"type": "object"}}
_OBJECT = {"type": ["object", "null"]}
_MAYBE_TEXT = {"type": ["string", "null"]}
_TABLE = {"name": _TEXT, "history": _FLAG, "rows_estimate": _MAYBE, "bytes": _NUMBER}
SETTING: dict[str, Any] = {
    "variable": _TEXT,
    "plugin": _TEXT,
    "name": _TEXT,
    "type": _TEXT,
    "required": _FLAG,
    "meaning": _TEXT,
    "source": {
        "type": "string",
        "description": "environment, database (changed at run time), platform.toml, default or missing.",
    },
    "value": {
        **_MAYBE_TEXT,
        "description": "Only where it cannot be a secret, which shown says. What is no text is written as JSON.",
    },
    "shown": _FLAG,
    "editable": {**_FLAG, "description": "Whether it may be changed at run time."},
    "ignored": {
        **_TEXT,
        "description": "Why a value that was set at run time does not count; empty where none is left out.",
    },
    "value_without": {
        **_MAYBE_TEXT,
        "description": "Of one that is editable: the value without what was set at run time.",
    },
    "source_without": {"type": "string", "description": "Where that value comes from."},
}

LISTINGS = (
    Listing(
        name="plugins",
        summary="Installed and listed plugins",
        access=VIEW_SYSTEM,
        key="slug",
        rows=facts.plugins,
        filters=("state", "listed"),
        properties={
            "slug": _TEXT,
            "version": _TEXT,
            "state": _TEXT,
            "listed": {"type": "string", "description": "What the deployment's lists ask for."},
            "since": _MOMENT,
            "held_back": _TEXT,
            "because": _TEXT,
            "waits_for": _TEXTS,
            "distribution": _TEXT,
            "summary": _TEXT,
            "requires": _TEXTS,
            "problems": _OBJECTS,
        },
        details=facts.plugin_details,
        detail_properties={
            "contributions": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": dict.fromkeys(("kind", "name", "version", "place"), _TEXT),
                },
            },
            "start": {**_OBJECT, "description": "Seconds that loading took, by stage."},
            "requests": {
                **_OBJECT,
                "description": "What its routes cost since the server started.",
            },
            "tables": {"type": "array", "items": {"type": "object", "properties": _TABLE}},
        },
    ),
    Listing(
        name="health",
        summary="Checks of health, each with its owner",
        access=VIEW_SYSTEM,
        key="id",
        rows=facts.health,
        filters=("plugin",),
        properties={
            "id": _TEXT,
            "name": _TEXT,
            "plugin": _TEXT,
            "healthy": _FLAG,
            "critical": _FLAG,
            "detail": _TEXT,
        },
    ),
    Listing(
        name="tables",
        summary="Tables with their owners and sizes",
        access=VIEW_SYSTEM,
        key="name",
        rows=all_tables,
        filters=("plugin",),
        properties={**_TABLE, "plugin": _TEXT},
    ),
    Listing(
        name="settings",
        summary="Settings and where their values come from",
        access=VIEW_SETTINGS,
        key="variable",
        rows=settings_in_force,
        filters=("plugin", "source"),
        properties=SETTING,
    ),
    Listing(
        name="limits",
        summary="How often somebody may call, and how long bodies may be",
        access=VIEW_SYSTEM,
        key="id",
        rows=facts.limits,
        filters=("plugin", "unit"),
        properties={
            "id": _TEXT,
            "plugin": _TEXT,
            "unit": {"type": "string", "enum": ["calls", "bytes"]},
            "of": _TEXT,
            "amount": {**_MAYBE, "description": "Null where there is no limit."},
            "seconds": _MAYBE,
        },
    ),
    Listing(
        name="schedules",
        summary="Tasks that run at certain times",
        access=VIEW_TASKS,
        key="name",
        rows=schedules,
        filters=("plugin",),
        properties={
            "name": _TEXT,
            "plugin": _TEXT,
            "task": _TEXT,
            "cron": _TEXT,
            "last": _MOMENT,
            "next": _MOMENT,
        },
    ),
    Listing(
        name="event-types",
        summary="Events that webhooks can tell of",
        access=VIEW_EVENT_TYPES,
        key="name",
        rows=event_types,
        filters=("plugin",),
        properties={
            "name": _TEXT,
            "plugin": _TEXT,
            "meaning": _TEXT,
            "schema": {"type": "object", "description": "JSON Schema of the data."},
        },
    ),
)
