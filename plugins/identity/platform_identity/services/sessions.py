"""Login sessions: starting, ending and clearing them away."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from importlib import import_module

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from platform_core.audit import Event, audited
from platform_core.conf import settings_of
from platform_core.observability import security_event
from platform_identity.models import LoginSession, RefreshToken, User
from platform_identity.settings import IdentitySettings

KEPT_AFTER_END = timedelta(days=30)
"""How long an ended session stays in the list of a user's sign-ins."""
_MOST_NAMED = 100


def start_session(
    *,
    user: User,
    kind: str,
    user_agent: str = "",
    ip: str | None = None,
    session_key: str = "",
) -> LoginSession:
    """Record that ``user`` signed in, on which device and from where; ``kind`` is one of LoginSession.Kind."""
    now = timezone.now()
    started: LoginSession = LoginSession.objects.create(
        user=user,
        kind=kind,
        last_used_at=now,
        expires_at=now + timedelta(seconds=settings_of(IdentitySettings).session_ttl),
        user_agent=user_agent[:200],
        ip=ip,
        session_key=session_key,
    )
    return started


@transaction.atomic
def revoke_sessions(sessions: QuerySet[LoginSession], *, reason: str) -> int:
    """End the sessions that still run, with their tokens and cookies, and return how many that were.

    ``reason`` is a short code kept with each: ``signed_out``, ``suspended``, ``token_reused``.
    """
    running = list(
        sessions.filter(revoked_at__isnull=True).select_for_update(of=("self",)).order_by("pk")
    )
    if not running:
        return 0
    keys = [session.pk for session in running]
    with audited(_ended(running, reason)):
        LoginSession.objects.filter(pk__in=keys).update(
            revoked_at=timezone.now(), revoked_reason=reason
        )
        _forget_web_sessions(session.session_key for session in running)
        for session in running:
            security_event(
                "identity.session_ended", user=session.user_id, session=session.pk, reason=reason
            )
    return len(running)


def _ended(sessions: Sequence[LoginSession], reason: str) -> Event:
    """Return the one event of the audit trail for all that end together, about their user when it is one."""
    users = {session.user_id for session in sessions}
    return Event(
        action="identity.sessions_ended",
        plugin="identity",
        target_type="identity.user",
        target_id=str(users.pop()) if len(users) == 1 else "",
        code=reason,
        details={"sessions": [str(session.pk) for session in sessions[:_MOST_NAMED]]},
    )


def revoke_session(*, session: LoginSession, reason: str = "signed_out") -> LoginSession:
    """End one session and return it as it is now."""
    revoke_sessions(LoginSession.objects.filter(pk=session.pk), reason=reason)
    session.refresh_from_db()
    return session


def revoke_sessions_of(*, user: User, reason: str) -> int:
    """End every session of ``user`` and return how many ran."""
    return revoke_sessions(LoginSession.objects.filter(user=user), reason=reason)


@transaction.atomic
def purge_sessions() -> int:
    """Delete for good what ended thirty days ago, and return the number of sessions; the web's expired ones too."""
    limit = timezone.now() - KEPT_AFTER_END
    ended = LoginSession.all_objects.filter(expires_at__lt=limit) | LoginSession.all_objects.filter(
        revoked_at__lt=limit
    )
    keys = list(ended.values_list("pk", flat=True))
    RefreshToken.objects.filter(session__in=keys).delete()
    for session in LoginSession.all_objects.filter(pk__in=keys):
        session.hard_delete()
    import_module(settings.SESSION_ENGINE).SessionStore.clear_expired()
    return len(keys)


def _forget_web_sessions(keys: Iterable[str]) -> None:
    store = import_module(settings.SESSION_ENGINE).SessionStore
    for key in keys:
        if key:
            store(key).delete()
