"""Refresh tokens: one use each, one winner per race, and a family that ends with the first reuse."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection, connections
from django.utils import timezone

from platform_identity.errors import TokenRefused
from platform_identity.models import LoginSession, RefreshToken
from platform_identity.selectors import signed_in_user
from platform_identity.services import tokens, users
from platform_identity.services.sessions import purge_sessions, revoke_session
from platform_identity.testing import make_user, sign_in_session


def refusal(token: str) -> str:
    with pytest.raises(TokenRefused) as caught:
        tokens.refresh(token=token)
    return caught.value.code


def runs(session: LoginSession) -> bool:
    return signed_in_user(user_id=session.user_id, session_id=session.pk) is not None


def test_refreshing_returns_the_next_pair_of_the_same_session() -> None:
    session = sign_in_session(make_user())
    first = tokens.issue_tokens(session=session)

    second = tokens.refresh(token=first.refresh_token)

    assert second.refresh_token != first.refresh_token
    assert second.expires_in == 600
    assert tokens.verify_access_token(second.access_token).session_id == session.pk
    assert tokens.refresh(token=second.refresh_token).access_token


def test_refreshing_is_remembered_as_use_without_a_history_row() -> None:
    session = sign_in_session(make_user())
    pair = tokens.issue_tokens(session=session)
    before = session.history.count()

    tokens.refresh(token=pair.refresh_token)

    after = LoginSession.objects.get(pk=session.pk)
    assert after.last_used_at > session.last_used_at
    assert session.history.count() == before


def test_a_used_token_ends_the_session_and_its_newer_tokens() -> None:
    session = sign_in_session(make_user())
    first = tokens.issue_tokens(session=session)
    second = tokens.refresh(token=first.refresh_token)

    assert refusal(first.refresh_token) == "reused"

    assert not runs(session)
    assert refusal(second.refresh_token) == "session_over"
    session.refresh_from_db()
    assert session.revoked_reason == "token_reused"


def test_a_reuse_leaves_the_user_s_other_sessions_alone() -> None:
    user = make_user()
    stolen, other = sign_in_session(user), sign_in_session(user)
    first = tokens.issue_tokens(session=stolen)
    tokens.refresh(token=first.refresh_token)

    refusal(first.refresh_token)

    assert not runs(stolen)
    assert runs(other)


@pytest.mark.django_db(transaction=True)
def test_of_twelve_parallel_refreshes_exactly_one_wins_and_the_family_ends() -> None:
    session = sign_in_session(make_user())
    pair = tokens.issue_tokens(session=session)
    start = threading.Barrier(12)

    def attempt(_: int) -> str:
        try:
            start.wait()
            tokens.refresh(token=pair.refresh_token)
        except TokenRefused as error:
            return error.code
        finally:
            connections.close_all()
        return "won"

    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(attempt, range(12)))

    assert sorted(answers) == ["reused"] * 11 + ["won"]
    assert not runs(session)


def test_the_database_holds_no_token() -> None:
    pair = tokens.issue_tokens(session=sign_in_session(make_user()))

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT encode(digest, 'escape') || identity_refreshtoken::text FROM identity_refreshtoken"
        )
        stored = "".join(row[0] for row in cursor.fetchall())
    assert pair.refresh_token not in stored
    assert len(bytes(RefreshToken.objects.get().digest)) == 32


@pytest.mark.parametrize("token", ["", "x", "Z" * 43, "\ud800", "é"])
def test_an_unknown_token_is_refused(token: str) -> None:
    assert refusal(token) == "unknown"


def test_an_access_token_is_no_refresh_token() -> None:
    session = sign_in_session(make_user())
    pair = tokens.issue_tokens(session=session)

    assert refusal(pair.access_token) == "unknown"
    assert runs(session)


def test_an_expired_token_is_refused_and_ends_nothing() -> None:
    session = sign_in_session(make_user())
    pair = tokens.issue_tokens(session=session)
    RefreshToken.objects.update(expires_at=timezone.now() - timedelta(seconds=1))

    assert refusal(pair.refresh_token) == "expired"
    assert runs(session)


def test_a_refresh_token_lives_no_longer_than_its_session() -> None:
    session = sign_in_session(make_user())
    LoginSession.objects.filter(pk=session.pk).update(
        expires_at=timezone.now() + timedelta(minutes=5)
    )
    tokens.issue_tokens(session=session)

    session.refresh_from_db()
    assert RefreshToken.objects.get().expires_at == session.expires_at


def test_a_revoked_session_cannot_be_refreshed() -> None:
    session = sign_in_session(make_user())
    pair = tokens.issue_tokens(session=session)
    revoke_session(session=session)

    assert refusal(pair.refresh_token) == "session_over"


def test_a_suspended_user_cannot_refresh() -> None:
    user = make_user()
    pair = tokens.issue_tokens(session=sign_in_session(user))
    users.suspend_user(user=user)

    assert refusal(pair.refresh_token) == "session_over"


def test_a_pair_shows_no_token_when_printed() -> None:
    pair = tokens.issue_tokens(session=sign_in_session(make_user()))
    assert pair.access_token not in repr(pair)
    assert pair.refresh_token not in repr(pair)


def test_purging_removes_long_ended_sessions_only() -> None:
    user = make_user()
    long_ago = timezone.now() - timedelta(days=31)
    running, ended, expired, recent = (sign_in_session(user) for _ in range(4))
    for session in (running, ended, expired, recent):
        tokens.issue_tokens(session=session)
    LoginSession.objects.filter(pk=ended.pk).update(revoked_at=long_ago)
    LoginSession.objects.filter(pk=expired.pk).update(expires_at=long_ago)
    revoke_session(session=recent)

    assert purge_sessions() == 2

    kept = set(LoginSession.all_objects.values_list("pk", flat=True))
    assert kept == {running.pk, recent.pk}
    assert set(RefreshToken.objects.values_list("session_id", flat=True)) == kept
