"""What a job carries: JSON arguments, and who asked for it, under which request and in which language."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Final
from uuid import UUID

from django.utils.translation import get_language

from platform_core.access import Actor, acting_as, current_actor, current_request_id, system_actor
from platform_core.tasks.standard import InvalidTask

MOST_BYTES: Final = 262_144


def make_payload(name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the payload of a job for the current actor; raises InvalidTask for arguments that are not JSON.

    A person's label is left out: it is an address, and jobs are kept for a while.
    """
    try:
        text = json.dumps([list(args), dict(kwargs)], allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InvalidTask(
            f"The arguments of {name} are not JSON ({error}). Give ids as text, and secrets not at all."
        ) from error
    if len(text) > MOST_BYTES:
        raise InvalidTask(
            f"The arguments of {name} take {len(text)} bytes, more than {MOST_BYTES}. Keep the data in rows or a file, "
            "and give its id."
        )
    given_args, given_kwargs = json.loads(text)
    actor = current_actor()
    return {
        "args": given_args,
        "kwargs": given_kwargs,
        "actor": {
            "id": None if actor.id is None else str(actor.id),
            "kind": actor.kind,
            "label": actor.label if actor.kind == "system" else "",
        },
        "request_id": current_request_id() or "",
        "language": get_language() or "",
    }


def actor_in(payload: Mapping[str, Any]) -> Actor:
    """Return a new actor for whoever asked for the job, with nothing read of what is granted."""
    known = payload.get("actor")
    if not known:
        return system_actor("task")
    found = None if known["id"] is None else UUID(known["id"])
    return Actor(found, known["kind"], known["label"])


def acting_for(payload: Mapping[str, Any]) -> AbstractContextManager[Any]:
    """Make whoever asked for the job the current actor of a block, under the request in which they asked."""
    return acting_as(actor_in(payload), request_id=payload.get("request_id") or None)
