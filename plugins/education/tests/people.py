"""People with a role at a school, and what they send."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.test import Client

from platform_education.models import School
from platform_identity.models import Role, User
from platform_identity.testing import auth_header, grant, make_role, make_user

API = "/api/v1/education"


@dataclass
class Person:
    """Somebody signed in, with the API at hand."""

    headers: dict[str, str]
    client: Client
    user: User

    def get(self, path: str, **query: str) -> Any:
        return self.client.get(f"{API}/{path}", query, headers=self.headers)

    def post(self, path: str, body: Any, **headers: str) -> Any:
        return self._send("post", path, body, **headers)

    def patch(self, path: str, body: Any) -> Any:
        return self._send("patch", path, body)

    def put(self, path: str, body: Any) -> Any:
        return self._send("put", path, body)

    def delete(self, path: str) -> Any:
        return self.client.delete(f"{API}/{path}", headers=self.headers)

    def _send(self, method: str, path: str, body: Any, **headers: str) -> Any:
        send = getattr(self.client, method)
        given = {**self.headers, **headers}
        return send(f"{API}/{path}", body, content_type="application/json", headers=given)


def with_role(name: str, school: str | None, *, user: User | None = None) -> Person:
    """Return a person, a new one unless given, who holds the role at a school, or everywhere."""
    user = user or make_user()
    scope = School.objects.get(sourced_id=school).unit if school else None
    grant(user, Role.objects.get(name=f"education.{name}"), scope)
    return Person(auth_header(user), Client(), user)


def with_permissions(*permissions: str) -> Person:
    """Return a person who holds ``permissions`` everywhere, by a role that an admin made."""
    user = make_user()
    grant(user, make_role(*permissions))
    return Person(auth_header(user), Client(), user)


def without_role() -> Person:
    """Return a person who is signed in and holds nothing."""
    user = make_user()
    return Person(auth_header(user), Client(), user)
