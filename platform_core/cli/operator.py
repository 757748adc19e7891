"""Who works at the command line, as history and the audit trail name them."""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from contextlib import contextmanager

from platform_core.access.actors import acting_as, system_actor
from platform_core.audit.recording import coming_from

LABEL = "command line"


@contextmanager
def acting_operator(command: str) -> Iterator[None]:
    """Act as the operator inside the block: what is written says which ``command`` of platformctl wrote it."""
    with acting_as(system_actor(LABEL), reason=f"platformctl {command}"), coming_from(account):
        yield


def account() -> dict[str, str]:
    """Return the name of the account that runs the command, where the machine knows one."""
    try:
        return {"account": getpass.getuser()}
    except (OSError, KeyError):
        return {}
