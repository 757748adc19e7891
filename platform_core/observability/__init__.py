"""Structured logs, request ids, security events and health: what an operator watches."""

from platform_core.observability.security import pseudonym, security_event, security_refusal

__all__ = ["pseudonym", "security_event", "security_refusal"]
