"""Accounts: one address each, passwords that are hashed and never kept, and an end that leaves nothing open."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from allauth.account.models import EmailAddress
from django.db import IntegrityError, connection, connections, transaction

from platform_core.access import system_actor
from platform_core.errors import Invalid
from platform_identity import hashers
from platform_identity.errors import EmailTaken, PasswordRefused
from platform_identity.models import RoleAssignment, User
from platform_identity.services import tokens, users
from platform_identity.testing import PASSWORD, grant, make_user, sign_in_session

OPERATOR = system_actor("tests")


@pytest.mark.parametrize(
    "email", ["me@example.org", "ME@EXAMPLE.ORG", "  me@Example.org ", "ｍｅ@example.org"]
)
def test_an_address_is_taken_in_every_spelling(email: str) -> None:
    make_user("me@example.org")
    with pytest.raises(EmailTaken):
        users.create_user(email=email)


def test_the_address_of_a_deleted_user_is_free_again() -> None:
    users.delete_user(user=make_user("me@example.org"))
    assert make_user("Me@example.org").email == "me@example.org"


def test_the_database_refuses_what_passed_the_service() -> None:
    make_user("me@example.org")
    other = make_user()
    for email in ("me@example.org", "UPPER@example.org"):
        with pytest.raises(IntegrityError), transaction.atomic():
            User.objects.filter(pk=other.pk).update(email=email)


@pytest.mark.parametrize("email", ["", "me", "me@", "@example.org", "a b@example.org"])
def test_what_is_no_address_is_refused(email: str) -> None:
    with pytest.raises(Invalid):
        users.create_user(email=email)


@pytest.mark.parametrize(
    "password", ["x1-y2", "password1234", "person-at-example", "person@example.org"]
)
def test_a_weak_password_is_refused_without_being_shown(password: str) -> None:
    with pytest.raises(PasswordRefused) as caught:
        users.create_user(email="person-at-example@example.org", password=password)
    assert password not in str(caught.value)


def test_another_failure_of_the_database_is_not_taken_for_a_taken_address() -> None:
    with pytest.raises(IntegrityError):
        users.update_user(user=User(email="new@example.org", language=None), changed_by=OPERATOR)


def test_a_password_is_hashed_with_argon2id_at_the_decided_cost() -> None:
    user = make_user(password=PASSWORD)
    assert user.password.startswith("argon2$argon2id$v=19$m=47104,t=2,p=1$")
    assert user.check_password(PASSWORD)


def test_history_keeps_no_password() -> None:
    user = make_user(password=PASSWORD)
    users.set_password(user=user, password="another-long-enough-secret")
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT string_agg(identity_historicaluser::text, ' ') FROM identity_historicaluser"
        )
        assert "argon2" not in cursor.fetchone()[0]
    assert not hasattr(user.history.first(), "password")


def test_hashing_waits_in_line() -> None:
    hasher, running, most = hashers.CappedArgon2PasswordHasher(), 0, 0
    counting = threading.Lock()
    original = hashers.Argon2PasswordHasher.verify
    encoded = hasher.encode(PASSWORD, hasher.salt())

    def verify(self: object, password: str, stored: str) -> bool:
        nonlocal running, most
        with counting:
            running += 1
            most = max(most, running)
        try:
            return original(self, password, stored)  # type: ignore[arg-type]
        finally:
            with counting:
                running -= 1

    hashers.Argon2PasswordHasher.verify = verify  # type: ignore[method-assign]
    try:
        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(lambda _: hasher.verify(PASSWORD, encoded), range(8)))
    finally:
        hashers.Argon2PasswordHasher.verify = original  # type: ignore[method-assign]
    assert 1 <= most <= hashers.MAX_PARALLEL


def test_deleting_an_account_ends_its_sessions_and_takes_its_roles() -> None:
    user = make_user()
    pair = tokens.issue_tokens(session=sign_in_session(user))
    grant(user, "identity.view_user")

    users.delete_user(user=user)

    assert not User.objects.filter(pk=user.pk).exists()
    assert not RoleAssignment.objects.filter(user=user).exists()
    with pytest.raises(Exception, match="unknown"):
        tokens.refresh(token=pair.refresh_token)


def test_a_changed_address_closes_every_older_way_in() -> None:
    user = make_user("old@example.org")
    EmailAddress.objects.create(user=user, email="old@example.org", primary=True, verified=True)

    users.update_user(user=user, changed_by=OPERATOR, email="new@example.org")

    assert not EmailAddress.objects.filter(user=user).exists()


def test_a_removed_password_opens_nothing() -> None:
    user = make_user(password=PASSWORD)
    users.set_password(user=user, password=None)
    assert not user.check_password(PASSWORD)


def test_suspending_twice_keeps_the_first_date() -> None:
    user = make_user()
    first = users.suspend_user(user=user).suspended_at
    assert users.suspend_user(user=user).suspended_at == first
    assert users.reactivate_user(user=user).is_active


def test_generated_passwords_differ_and_are_strong_enough() -> None:
    found = {users.generate_password() for _ in range(50)}
    assert len(found) == 50
    users.create_user(email="me@example.org", password=found.pop())


@pytest.mark.django_db(transaction=True)
def test_of_two_people_who_take_an_address_at_once_one_gets_it() -> None:
    start = threading.Barrier(2)

    def attempt(_: int) -> bool:
        try:
            start.wait()
            users.create_user(email="me@example.org")
        except EmailTaken:
            return False
        finally:
            connections.close_all()
        return True

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(attempt, range(2))) == [False, True]


def test_validating_a_user_brings_the_address_into_its_one_spelling() -> None:
    user = User(email=" ME@example.org ")
    user.clean()
    assert user.email == "me@example.org"
