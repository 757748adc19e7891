"""The audit trail: one event for each action, in its transaction, sealed into a chain that shows every tampering."""

from platform_core.audit.actions import audited, record
from platform_core.audit.recording import AuditUnavailable, Event

__all__ = ["AuditUnavailable", "Event", "audited", "record"]
