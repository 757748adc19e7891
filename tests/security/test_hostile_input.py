"""No input makes the API fail: every registered action, with hostile bodies, paths and parameters."""

from __future__ import annotations

import base64
import random
import re
from collections.abc import Iterator
from itertools import cycle, islice
from typing import Any
from urllib.parse import quote

import orjson
import pytest
from django.core.cache import cache
from django.test import Client

from platform_core.registry import installed
from platform_core.resource import Resource
from platform_core.resource.declared import name_of
from platform_core.resource.operations import operations_of
from platform_core.testing.contract.subjects import ResourceSubject
from platform_core.testing.factories import make
from platform_identity.testing import PASSWORD, auth_header, make_owner, sign_in_client

SEED = 20_260_729
TEXTS_PER_FILTER = 3
VALUES_PER_FIELD = 3
ROUNDS = 4
"""Bodies tried per action with several fields hostile at once, beside one per field."""

DEEP = b"[" * 100_000
HOSTILE_TEXTS = (
    "\x00",
    "a\x00b",
    "x" * 70_000,
    "\u202e\ufeff",
    "0000-01-01",
    "0001-01-01",
    "9999-12-31",
    "10000-01-01",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00",
    "2026-02-30",
    "00000000-0000-0000-0000-000000000000",
    "not-a-uuid",
    "NaN",
    "-Infinity",
    "1e400",
    "9" * 400,
    "true",
    "",
    " ",
    "a\r\nSet-Cookie: a=b",
    "{{7*7}}%s%(x)s",
    "'; DROP TABLE identity_user; --",
)
HOSTILE_VALUES: tuple[Any, ...] = (
    *HOSTILE_TEXTS,
    None,
    True,
    0,
    -1,
    2**31,
    2**63,
    -(2**63) - 1 + 1,
    2**64 - 1,
    1e308,
    0.1,
    [],
    [[]],
    ["\x00"],
    [None, 1, "x" * 5_000],
    {},
    {"a": {"b": [1]}},
    [{"id": "x"}] * 3,
)
HOSTILE_BODIES = (
    b"",
    b"null",
    b"[]",
    b"[1,2]",
    b'"text"',
    b"1",
    b"{",
    b"{}",
    b'{"a":NaN}',
    b'{"a":Infinity}',
    b'{"name":"\\ud800"}',
    b'{"name":"\xff\xfe"}',
    b'{"name":"a","name":"b"}',
    b'{"":1,"a/b~c":2}',
    b'{"n":' + b"9" * 5_000 + b"}",
    b"\x00",
    b"\xef\xbb\xbf{}",
    DEEP,
    b'{"a":' * 900 + b"1" + b"}" * 900,
)
HOSTILE_QUERIES = (
    "limit=0",
    "limit=-1",
    "limit=" + "9" * 50,
    "limit=%00",
    "limit=١",
    "cursor=",
    "cursor=%00",
    "cursor=W10",
    "cursor=" + "A" * 3_000,
    "cursor=WyJuYW1lIixudWxsLG51bGxd",
    "ordering=",
    "ordering=--id",
    "ordering=password",
    "search=%00",
    "search=%ED%A0%80",
    "search=" + "x" * 500,
    "search=%25%5F%5C",
    "a" * 300 + "=1",
    "%00=1",
    "&".join(f"x{n}=1" for n in range(1_100)),
)


def _hostile_filters(resource: type[Resource]) -> Iterator[str]:
    for path, lookups in resource.filterset_fields.items():
        for lookup in lookups:
            name = path if lookup == "exact" else f"{path}__{lookup}"
            for text in random.Random(f"{SEED}{name}").sample(HOSTILE_TEXTS, TEXTS_PER_FILTER):
                yield f"{name}={quote(text[:3_000])}"


def _subjects() -> list[tuple[str, type[Resource]]]:
    return [
        (entry.owner, entry.item)
        for entry in installed().entries["resources"]
        if entry.owner in ("identity", "education")
    ]


@pytest.fixture
def owner(db: None) -> Iterator[Client]:
    """A signed-in owner, to whom a failure is an answer and not an exception of the test."""
    cache.clear()
    client = Client(raise_request_exception=False, headers=auth_header(make_owner()))
    yield client
    cache.clear()


def _send(client: Client, method: str, url: str, body: bytes) -> None:
    answer = client.generic(method, url, body, content_type="application/json")
    assert answer.status_code < 500, (method, url[:200], body[:200], answer.content)


@pytest.mark.parametrize(
    ("slug", "resource"), _subjects(), ids=lambda one: one if isinstance(one, str) else name_of(one)
)
class TestResources:
    """Lists, objects and operations of identity and education."""

    def test_hostile_parameters_are_refused(
        self, owner: Client, slug: str, resource: type[Resource]
    ) -> None:
        url = ResourceSubject(slug, resource).url
        row = f"{url}{make(resource.model).pk}/"
        for query in (*HOSTILE_QUERIES, *_hostile_filters(resource)):
            _send(owner, "GET", f"{url}?{query}", b"")
        for query in HOSTILE_QUERIES[::2]:
            _send(owner, "GET", f"{row}history/?{query}", b"")
        for key in ("x", "%00", "00000000-0000-0000-0000-000000000000", "%ff%fe", "../.."):
            for suffix in ("", "history/", "restore/"):
                _send(owner, "GET", f"{url}{key}/{suffix}", b"")
                _send(owner, "POST", f"{url}{key}/{suffix}", b"{}")

    def test_hostile_bodies_are_refused(
        self, owner: Client, slug: str, resource: type[Resource]
    ) -> None:
        url = ResourceSubject(slug, resource).url
        row = f"{url}{make(resource.model).pk}/"
        operations = [f"{row}{one.path}/" for one in operations_of(resource).values()]
        reading = [("POST", url), ("PUT", row), ("PATCH", row)]
        reading += [("POST", operation) for operation in operations]
        for method, target in reading:
            for body in HOSTILE_BODIES:
                _send(owner, method, target, body)
        for body in HOSTILE_BODIES[::3]:
            _send(owner, "POST", f"{row}restore/", body)
        rng = random.Random(f"{SEED}{name_of(resource)}")
        names = list(resource.serializer_class().fields)
        for body in self._with_one_field(names, rng):
            for method, target in (("POST", url), ("PATCH", row)):
                _send(owner, method, target, body)
        for _round in range(ROUNDS):
            body = orjson.dumps({name: rng.choice(HOSTILE_VALUES) for name in names})
            for method, target in (("POST", url), ("PATCH", row), ("PUT", row)):
                _send(owner, method, target, body)

    @staticmethod
    def _with_one_field(names: list[str], rng: random.Random) -> Iterator[bytes]:
        # Dealt like cards: no value comes twice before every other came once.
        cards = cycle(rng.sample(HOSTILE_VALUES, len(HOSTILE_VALUES)))
        for name in names:
            for value in islice(cards, VALUES_PER_FIELD):
                yield orjson.dumps({name: value})


AUTH = "/api/v1/identity/auth"
SIGN_IN_ROUTES = (
    ("POST", "auth/login"),
    ("DELETE", "auth/session"),
    ("POST", "auth/signup"),
    ("POST", "auth/password/request"),
    ("POST", "auth/password/reset"),
    ("POST", "account/password/change"),
    ("POST", "auth/reauthenticate"),
)


class TestSignIn:
    """The addresses of sign-in, which everybody can reach."""

    @pytest.mark.parametrize("client_kind", ["app", "browser"])
    def test_hostile_bodies_are_refused(self, owner: Client, client_kind: str) -> None:
        user = make_owner(password=PASSWORD)
        sign_in_client(owner, user)
        bodies = [
            *HOSTILE_BODIES,
            *(
                orjson.dumps({"email": value, "password": value, "key": value})
                for value in HOSTILE_VALUES
            ),
            b'{"email":"\\ud800@example.org","password":"\\ud800"}',
            b'{"email":"a@example.org","password":"\\udfff"}',
            b'{"current_password":"\\ud800","new_password":"\\ud800"}',
            b'{"key":"\\ud800","password":"\\ud800"}',
        ]
        for method, route in SIGN_IN_ROUTES:
            for body in bodies:
                cache.clear()
                _send(owner, method, f"{AUTH}/{client_kind}/v1/{route}", body)

    def test_a_hostile_refresh_token_is_refused(self, owner: Client) -> None:
        for body in (
            *HOSTILE_BODIES,
            *(orjson.dumps({"refresh_token": value}) for value in HOSTILE_VALUES),
            b'{"refresh_token":"\\ud800"}',
        ):
            cache.clear()
            _send(owner, "POST", f"{AUTH}/app/v1/tokens/refresh", body)

    def test_hostile_profiles_are_refused(self, owner: Client) -> None:
        for body in (
            *HOSTILE_BODIES,
            *(orjson.dumps({"display_name": value, "language": value}) for value in HOSTILE_VALUES),
        ):
            _send(owner, "PATCH", "/api/v1/identity/me/", body)


@pytest.mark.parametrize(
    "header",
    [
        b"[" * 2_900,
        b'{"alg":' + b"9" * 2_900 + b"}",
        b'{"alg":"none"}',
        b'{"alg":"EdDSA","kid":{"a":1},"typ":"at+jwt"}',
        b'{"alg":"EdDSA","kid":"../../etc/passwd","typ":"at+jwt"}',
        b'{"alg":["EdDSA"],"crit":["x"],"b64":false}',
        b"\xff\xfe",
    ],
    ids=lambda one: one[:24].decode("latin-1"),
)
@pytest.mark.parametrize("path", ["/api/v1/identity/me/", f"{AUTH}/app/v1/auth/session"])
def test_a_hostile_token_is_refused(db: None, header: bytes, path: str) -> None:
    token = f"{base64.urlsafe_b64encode(header).rstrip(b'=').decode()}.e30.AAAA"
    answer = Client(raise_request_exception=False).get(
        path, headers={"Authorization": f"Bearer {token}"}
    )
    assert answer.status_code == 401


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 400),
        ({"Host": "a\r\nb"}, 400),
        ({"Accept": "text/html"}, 406),
        ({"Accept": ";;;,,q=x"}, 406),
        ({"Accept-Language": "x" * 5_000}, 200),
        ({"X-Session-Token": "x" * 5_000}, 200),
        ({"X-Request-ID": "a\r\nSet-Cookie: a=b"}, 200),
    ],
    ids=str,
)
def test_hostile_headers_are_refused_or_ignored(
    owner: Client, headers: dict[str, str], status: int
) -> None:
    answer = owner.get("/api/v1/identity/users/", headers=headers)

    assert answer.status_code == status
    assert re.fullmatch(r"[0-9a-f]{32}", answer["X-Request-ID"])
    if status >= 400:
        assert answer["Content-Type"] == "application/problem+json"
        assert "evil" not in answer.content.decode()


def test_what_is_not_there_asks_for_no_csrf_token() -> None:
    strict = Client(raise_request_exception=False, enforce_csrf_checks=True)
    answer = strict.post("/api/v1/identity/nowhere/", b"{}", content_type="application/json")
    assert answer.status_code == 404
