"""Events: what has happened in a plugin, told to others after the commit, once to each and in order."""

from platform_core.events.declaring import Event
from platform_core.events.emitting import OutsideTransaction, emit, emit_all
from platform_core.events.receiving import Received

__all__ = ["Event", "OutsideTransaction", "Received", "emit", "emit_all"]
