"""The security log: who signed in, who was refused, who gave rights to whom, in a stream of its own."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import structlog
from django.db import connection, transaction
from django.utils.crypto import salted_hmac

from platform_core.access.actors import current_actor, current_request_id
from platform_core.observability.logging import SECURITY_LOGGER

PSEUDONYM_LENGTH = 16


def security_event(name: str, **facts: Any) -> None:
    """Write ``name`` (``<slug>.<what_happened>``) with ``facts`` to the security log, once the transaction commits.

    Who acts and the request id are added. Facts are ids, codes and short texts: never a password, a token, or the
    address of somebody who is no user (``pseudonym`` stands for that). What is rolled back did not happen and is
    not written.
    """
    write = _writer(name, facts)
    if connection.in_atomic_block:
        transaction.on_commit(write, robust=True)
    else:
        write()


def security_refusal(name: str, **facts: Any) -> None:
    """Write ``name`` with ``facts`` at once, as ``security_event`` does: a refusal stays one after a rollback."""
    _writer(name, facts)()


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
