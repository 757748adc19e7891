"""A library on real PostgreSQL, and clients that act as somebody."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.test import Client, override_settings

from platform_core.access import using_permissions
from platform_core.api_docs import _document
from platform_core.resource import base
from tests.core.resource.testapp.grants import VERBS, MemoryGrantSource, registry
from tests.core.resource.testapp.models import Book, Branch, Shelf

ROOT = "/api/v1/resource_testapp/"
AUTHENTICATION = "tests.core.resource.testapp.grants.HeaderAuthentication"


@pytest.fixture(autouse=True)
def _library_urls(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    from rest_framework.settings import import_from_string

    authentication = import_from_string(AUTHENTICATION, "AUTHENTICATION")
    monkeypatch.setattr(base.Resource, "authentication_classes", (authentication,))
    monkeypatch.setattr(
        "platform_core.resource.gate._Guarded.authentication_classes", (authentication,)
    )
    _document.cache_clear()
    with override_settings(ROOT_URLCONF="tests.core.resource.testapp.urls"):
        yield
    _document.cache_clear()


@pytest.fixture
def source() -> Iterator[MemoryGrantSource]:
    """Return the grants, empty."""
    found = MemoryGrantSource()
    with using_permissions(registry(found)):
        yield found


class ApiClient(Client):
    """Sends and reads JSON below the plugin's prefix, as one actor or as nobody."""

    def __init__(self, actor_id: uuid.UUID | None, **kwargs: Any) -> None:
        defaults = {} if actor_id is None else {"HTTP_X_TEST_ACTOR": str(actor_id)}
        super().__init__(**kwargs, **defaults)  # type: ignore[arg-type]
        self.id = actor_id

    def call(self, method: str, path: str, body: Any = None, **extra: Any) -> Any:
        """Return the answer to ``method`` at ``path``, which is relative to the plugin unless it starts with /."""
        where = path if path.startswith("/") else ROOT + path
        if body is None:
            return self.generic(method, where, **extra)
        return self.generic(method, where, _encoded(body), content_type="application/json", **extra)


def _encoded(body: Any) -> bytes:
    import json

    return body if isinstance(body, bytes) else json.dumps(body).encode()


@pytest.fixture
def client_of(source: MemoryGrantSource) -> Callable[..., ApiClient]:
    """Return a function that makes a client holding permissions, everywhere or in branches."""

    def make(*permissions: str, **scope: Any) -> ApiClient:
        actor_id = uuid.uuid4()
        if permissions:
            source.grant(actor_id, *permissions, **scope)
        return ApiClient(actor_id)

    return make


@pytest.fixture
def librarian(client_of: Callable[..., ApiClient]) -> ApiClient:
    """Return a client that may do everything everywhere."""
    models = ("branch", "shelf", "book", "sample")
    return client_of(*(f"{verb}_{model}" for verb in VERBS for model in models), "read_report")


@pytest.fixture
def anonymous(source: MemoryGrantSource) -> ApiClient:
    """Return a client that is nobody."""
    return ApiClient(None)


@dataclass
class Library:
    """Two branches with a shelf each."""

    north: Branch
    south: Branch
    north_shelf: Shelf
    south_shelf: Shelf
    books: list[Book] = field(default_factory=list)

    def book(self, title: str = "A book", **values: Any) -> Book:
        """Put a book on the northern shelf unless another is given."""
        values.setdefault("shelf", self.north_shelf)
        values.setdefault("isbn", uuid.uuid4().hex[:20])
        return Book.objects.create(title=title, **values)


@pytest.fixture
def library(db: None) -> Library:
    """Return the library, without books."""
    return make_library()


def make_library() -> Library:
    """Create two branches with a shelf each."""
    north = Branch.objects.create(name="North")
    south = Branch.objects.create(name="South")
    return Library(
        north,
        south,
        Shelf.objects.create(name="N1", branch=north),
        Shelf.objects.create(name="S1", branch=south),
    )


def codes(response: Any) -> dict[str, str]:
    """Return the codes of a problem by pointer or parameter."""
    body = response.json()
    return {one.get("pointer", one.get("parameter")): one["code"] for one in body.get("errors", [])}
