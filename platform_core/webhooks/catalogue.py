"""Which events may be told elsewhere, and which of them a pattern means."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from django.utils.translation import gettext_lazy as _

from platform_core.errors import Invalid
from platform_core.events.catalogue import all_events, owner_of_event

if TYPE_CHECKING:
    from platform_core.events import Event

PING: Final = "system.webhook.pinged"
"""The type of the message that tries an endpoint out; it cannot be subscribed to and comes to all."""
_PATTERN = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*){0,2}(\.\*)?\Z")


def external_events() -> Mapping[str, type[Event]]:
    """Return the events of enabled plugins that may be told elsewhere, by name."""
    return {name: one for name, one in all_events().items() if one.external_fields}


def patterns_of(name: str) -> list[str]:
    """Return every way to subscribe to the event ``name``: itself, its noun, its plugin."""
    slug, noun, _verb = name.split(".")
    return [name, f"{slug}.{noun}.*", f"{slug}.*"]


def check_patterns(patterns: Sequence[str], known: Sequence[str] = ()) -> None:
    """Raise Invalid for the first of ``patterns`` that means no event; what is ``known`` already may stay.

    The plugin of a known one may sleep, so that nobody can say what it means.
    """
    meant = {pattern for name in external_events() for pattern in patterns_of(name)}
    for one in patterns:
        if one in known or (_PATTERN.match(one) and one in meant):
            continue
        raise Invalid(
            _(
                '"{name}" is no event that can be told elsewhere. /api/v1/system/event-types/ lists those that can; '
                '"billing.*" and "billing.invoice.*" mean several.'
            ).format(name=one[:150]),
            code="unknown_event_type",
        )


def event_types() -> list[dict[str, Any]]:
    """Return what can be subscribed to: each event with its meaning and the JSON Schema of its data."""
    return [
        {
            "name": name,
            "plugin": owner_of_event(name),
            "meaning": inspect.getdoc(one) or "",
            "schema": schema_of(one),
        }
        for name, one in external_events().items()
    ]


def schema_of(event: type[Event]) -> dict[str, Any]:
    """Return the JSON Schema of what of ``event`` is told elsewhere."""
    whole = event.model_json_schema(mode="serialization")
    told = set(event.external_fields)
    found: dict[str, Any] = {
        "type": "object",
        "properties": {k: v for k, v in whole.get("properties", {}).items() if k in told},
        "required": [one for one in whole.get("required", ()) if one in told],
    }
    return found | ({"$defs": whole["$defs"]} if "$defs" in whole else {})
