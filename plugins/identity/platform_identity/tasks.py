"""What identity does by itself."""

from __future__ import annotations

from platform_core.tasks import task
from platform_identity.services import sessions


@task(unique=True)
def purge_sessions() -> int:
    """Delete the login sessions that ended long ago, and return their number."""
    return sessions.purge_sessions()
