"""The security log: who signed in, who was refused, who gave rights to whom, in a stream of its own and in the audit trail."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import structlog
from django.db import connection, transaction
from django.utils.crypto import salted_hmac

from platform_core.access.actors import current_actor, current_request_id
from platform_core.audit.actions import record
from platform_core.audit.recording import Event
from platform_core.audit.refusals import write_refusal
from platform_core.observability.logging import SECURITY_LOGGER

PSEUDONYM_LENGTH = 16
PERSONAL_FACTS = {"ip": "address", "address": "identifier"}
"""Facts that the audit trail keeps where they can be erased, and what it calls them."""


def security_event(name: str, **facts: Any) -> None:
    """Write ``name`` (``<slug>.<what_happened>``) with ``facts`` to the security log, once the transaction commits.

    The audit trail gets it at once, in the transaction; within an action of the trail, as a note of that one. Who acts
    and the request id are added. Facts are ids, codes and short texts: never a password, a token, or the address of
    somebody who is no user (``pseudonym`` stands for that). What is rolled back did not happen and is not written.
    """
    record(_audited(name, facts))
    write = _writer(name, facts)
    if connection.in_atomic_block:
        transaction.on_commit(write, robust=True)
    else:
        write()


def security_refusal(name: str, **facts: Any) -> None:
    """Write ``name`` with ``facts`` at once, as ``security_event`` does: a refusal stays one after a rollback.

    Call it outside of any transaction; the audit trail gets it in one of its own, and tells of many alike together.
    """
    _writer(name, facts)()
    event = _audited(name, facts)
    write_refusal(event, outcome="refused", code=name.rpartition(".")[2])


def log_refusal(name: str, **facts: Any) -> None:
    """Write ``name`` with ``facts`` to the log only: for what the audit trail learns elsewhere, or need not know."""
    _writer(name, facts)()


def _audited(name: str, facts: dict[str, Any]) -> Event:
    """Return the event of the audit trail: about the user among ``facts``, what is personal apart from the rest."""
    slug = name.partition(".")[0]
    told = {key: _plain(value) for key, value in facts.items() if value not in (None, "")}
    user = told.pop("user", None)
    return Event(
        action=name,
        plugin=slug,
        target_type=f"{slug}.user" if user else "",
        target_id=user or "",
        details={key: value for key, value in told.items() if key not in PERSONAL_FACTS},
        personal={name: told[key] for key, name in PERSONAL_FACTS.items() if key in told},
    )


def _writer(name: str, facts: dict[str, Any]) -> Callable[[], None]:
    """Return what writes the entry as things are now."""
    actor = current_actor()
    entry = {
        "actor_kind": actor.kind,
        "actor_id": None if actor.id is None else str(actor.id),
        "request_id": current_request_id(),
        **{key: _plain(value) for key, value in facts.items()},
    }
    return partial(structlog.get_logger(SECURITY_LOGGER).info, name, **entry)


def pseudonym(text: str) -> str:
    """Return what stands for ``text`` in logs: the same for the same text, and of no use without the secret key."""
    digest = salted_hmac("platform_core.security", text, algorithm="sha256").hexdigest()
    return digest[:PSEUDONYM_LENGTH]


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, (bool, int)) else str(value)
